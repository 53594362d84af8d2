"""No sandbox: limits and clean-up, but nothing is kept from the program. By name only."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_llmbench.sandbox.box import ServedBox, encode_limits
from pytest_llmbench.sandbox.environment import interpreter, interpreter_path
from pytest_llmbench.sandbox.launching import LauncherClient
from pytest_llmbench.sandbox.protocol import Box, Limits, SandboxError
from pytest_llmbench.sandbox.selftest import find_hindrance
from pytest_llmbench.sandbox.streaming import open_folder_box


class Unconfined:
    """Each box is a folder; its programs may do whatever the user may."""

    name = "none"
    automatic = False
    restrictions: Sequence[str] = ()

    def __init__(self) -> None:
        self._launcher = LauncherClient()

    def find_obstacle(self) -> str | None:
        """Whether honest programs run; nothing else is promised."""
        try:
            box = self.open_box(Limits())
            try:
                return find_hindrance(self, box)
            finally:
                box.close()
        except SandboxError as error:
            return str(error)

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """See `Sandbox.open_box`."""
        if platform.system() != "Linux":
            return open_folder_box(lambda _: (), limits, readable)
        plan = [
            b"parent", tempfile.gettempdir().encode(),
            b"limits", encode_limits(limits),
            b"readable", b"",
            b"confined", b"0",
        ]  # fmt: skip
        channel = self._launcher.fork_box(plan)
        interpreters = interpreter_path(readable)
        return ServedBox(channel, limits, greeting=[], interpreters=interpreters)

    def python(self, *, libraries: bool = False) -> str:
        """See `Sandbox.python`."""
        return interpreter(libraries=libraries)

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._launcher.close()
