"""Sandboxes with one fault each, round a real one: what the conformance suite has to notice."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_llmbench.sandbox.protocol import MIB, Box, Limits, ProgramResult, Sandbox, SandboxError


class BoxAround:
    """A box that does what the one inside does."""

    def __init__(self, inner: Box, python: str) -> None:
        self.inner = inner
        self.python = python

    def write_files(self, files: Mapping[str, bytes]) -> None:
        self.inner.write_files(files)

    def read_file(self, path: str, *, max_bytes: int = 16 * MIB) -> bytes:
        return self.inner.read_file(path, max_bytes=max_bytes)

    def list_files(self) -> list[str]:
        return self.inner.list_files()

    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        return self.changed(self.inner.run(argv, **options))

    def changed(self, result: ProgramResult) -> ProgramResult:
        return result

    def close(self) -> None:
        self.inner.close()


class SandboxAround:
    """A sandbox whose boxes are of a class given, round those of a real one."""

    name = "broken"
    automatic = False
    restrictions: Sequence[str] = ()

    def __init__(self, inner: Sandbox, box: type[BoxAround] = BoxAround) -> None:
        self.inner = inner
        self.box = box

    def find_obstacle(self) -> str | None:
        return None

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> BoxAround:
        return self.box(self.inner.open_box(limits, readable=readable), self.python())

    def python(self, *, libraries: bool = False) -> str:
        return self.inner.python(libraries=libraries)

    def close(self) -> None:
        """The one inside is closed by whoever opened it."""


# Faults of a whole sandbox


class SharesWorkspace(SandboxAround):
    """There is but one box, whoever asks."""

    def __init__(self, inner: Sandbox) -> None:
        super().__init__(inner, StaysOpen)
        self.only: BoxAround | None = None

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> BoxAround:
        if self.only is None:
            self.only = super().open_box(limits, readable=readable)
        return self.only

    def close(self) -> None:
        if self.only is not None:
            self.only.inner.close()


class ShowsFolders(SandboxAround):
    """Folders of the host are shown in every box."""

    def __init__(self, inner: Sandbox, folders: Sequence[Path]) -> None:
        super().__init__(inner)
        self.folders = folders

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> BoxAround:
        return super().open_box(limits, readable=[*readable, *self.folders])


class LoosensLimit(SandboxAround):
    """One of the limits is sixteen times what was asked for."""

    def __init__(self, inner: Sandbox, limit: str) -> None:
        super().__init__(inner)
        self.limit = limit

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> BoxAround:
        loose: dict[str, Any] = {self.limit: 16 * getattr(limits, self.limit)}
        return super().open_box(replace(limits, **loose), readable=readable)


class UnboundedOutput(LoosensLimit):
    def __init__(self, inner: Sandbox) -> None:
        super().__init__(inner, "output_bytes")


class UnboundedMemory(LoosensLimit):
    def __init__(self, inner: Sandbox) -> None:
        super().__init__(inner, "memory_bytes")


# Faults of its boxes


class LeaksEnvironment(BoxAround):
    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        host = {name: value for name, value in os.environ.items() if name not in ("HOME", "PATH")}
        return super().run(argv, **{**options, "env": {**host, **(options.get("env") or {})}})


class FollowsLinks(BoxAround):
    def read_file(self, path: str, *, max_bytes: int = 16 * MIB) -> bytes:
        try:
            return super().read_file(path, max_bytes=max_bytes)
        except SandboxError:
            code = "import sys; print(open(sys.argv[1]).read(), end='')"
            shown = self.inner.run([self.python, "-c", code, path], timeout_s=2)
            if shown.returncode != 0:
                raise
            return shown.stdout.encode()


class LosesHome(BoxAround):
    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        empty = "import os, pathlib\nfor each in pathlib.Path.home().iterdir(): os.remove(each)"
        self.inner.run([self.python, "-c", empty])
        return super().run(argv, **options)


class IgnoresTimeout(BoxAround):
    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        late_s = options.pop("timeout_s", 5.0) + 1.5
        return super().run(argv, timeout_s=late_s, **options)


class ReportsTimeoutAsSuccess(BoxAround):
    def changed(self, result: ProgramResult) -> ProgramResult:
        if not result.timed_out:
            return result
        return replace(result, returncode=0, timed_out=False, limit=None)


class DropsStderr(BoxAround):
    def changed(self, result: ProgramResult) -> ProgramResult:
        return replace(result, stderr="")


class MixesSignalWithExitCode(BoxAround):
    def changed(self, result: ProgramResult) -> ProgramResult:
        code = result.returncode
        return replace(result, returncode=128 - code if code is not None and code < 0 else code)


class HidesTruncation(BoxAround):
    def changed(self, result: ProgramResult) -> ProgramResult:
        return replace(result, output_truncated=False)


class LosesBytes(BoxAround):
    def changed(self, result: ProgramResult) -> ProgramResult:
        return replace(result, stdout=result.stdout.encode("ascii", "ignore").decode())


class KeepsGrandchildren(BoxAround):
    """What a program left in the background goes on between runs: its next beat is written here."""

    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        result = super().run(argv, **options)
        if "beats" in self.inner.list_files():
            self.inner.write_files({"beats": self.inner.read_file("beats") + b"."})
        return result


class AcceptsPathsOutside(BoxAround):
    def write_files(self, files: Mapping[str, bytes]) -> None:
        super().write_files({path.lstrip("/."): data for path, data in files.items()})


class StaysOpen(BoxAround):
    def close(self) -> None:
        """Nothing is removed, and the next run still works."""


class GivesAnOpenStdin(BoxAround):
    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        return super().run(argv, **{"stdin": b"an answer\n", **options})


class WaitsForBackground(BoxAround):
    """The result of a run comes when everything that holds its output has ended."""

    def run(self, argv: Sequence[str], **options: Any) -> ProgramResult:
        result = super().run(argv, **options)
        rest = self.inner.run([self.python, "-c", "import time; time.sleep(1.1)"])
        return replace(result, duration_s=result.duration_s + rest.duration_s)
