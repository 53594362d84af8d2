"""A box as the tests see it: the near side of the talk with the server inside."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from pytest_llmbench.sandbox.environment import clean_environment, encode
from pytest_llmbench.sandbox.inside import frames
from pytest_llmbench.sandbox.protocol import KIB, MIB, Limits, ProgramResult, SandboxError

_PATIENCE_S = 15.0
"""How long a server may be silent beyond a run's own limit: then the box is broken."""
_SLACK_BYTES = 4 * MIB


class Channel:
    """The pipes to a server, and how to end it."""

    def __init__(
        self, requests: int, replies: int, complaints: int, end: Callable[[], None]
    ) -> None:
        self._requests = requests
        self._replies = replies
        self._complaints = complaints
        self._end = end
        self._lock = threading.Lock()
        self._open = True
        self._broken: str | None = None
        """Why no reply can be told from a late one any more; None while all came in time."""

    def ask(
        self,
        fields: list[bytes],
        *,
        most_bytes: int = _SLACK_BYTES,
        patience_s: float = _PATIENCE_S,
    ) -> list[bytes]:
        """Send a request and wait for its reply; no fields: only wait. Raises SandboxError.

        After the first failure, every request fails: a late reply would be taken for the next's.
        """
        with self._lock:
            if not self._open:
                raise SandboxError("the box is closed")
            if self._broken is None:
                try:
                    return self._exchange(fields, most_bytes, time.monotonic() + patience_s)
                except frames.BrokenFrameError as error:
                    self._broken = self._complaint() or str(error)
                except BaseException:  # a test's timeout, or Ctrl-C: the reply is still to come
                    self._broken = "a request was interrupted"
                    raise
            raise SandboxError(f"the box broke: {self._broken}")

    def _exchange(self, fields: list[bytes], most_bytes: int, deadline: float) -> list[bytes]:
        if fields:
            frames.write_frame(self._requests, fields)
        reply = frames.read_frame(self._replies, most_bytes, deadline)
        if not reply:
            raise frames.BrokenFrameError("its server ended")
        return reply

    def close(self) -> None:
        """Hang up, and wait until the server and all of its box are gone."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            for fd in (self._requests, self._replies, self._complaints):
                os.close(fd)
            self._end()

    def _complaint(self) -> str:
        """What the server, or whatever should have started it, wrote before it ended."""
        os.set_blocking(self._complaints, False)
        try:
            written = os.read(self._complaints, 4 * KIB)
        except BlockingIOError:
            return ""
        return " ".join(written.decode(errors="backslashreplace").split())


class ServedBox:
    """A box whose server does the work."""

    def __init__(
        self,
        channel: Channel,
        limits: Limits,
        *,
        greeting: list[bytes],
        interpreters: Sequence[str],
    ) -> None:
        self._channel = channel
        self._limits = limits
        try:
            _, _, home, tmp = channel.ask(greeting)
        except SandboxError:
            channel.close()
            raise
        self._environment = clean_environment(os.fsdecode(home), os.fsdecode(tmp), interpreters)

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """See `Box.write_files`."""
        fields = [b"write"]
        for path, data in files.items():
            fields += [_inner_path(path), data]
        verb, *details = self._channel.ask(fields)
        if verb != b"done":
            raise SandboxError(f"cannot write into the box: {_text(details)}")

    def read_file(self, path: str, *, max_bytes: int = 16 * MIB) -> bytes:
        """See `Box.read_file`."""
        request = [b"read", _inner_path(path), str(max_bytes).encode()]
        verb, *details = self._channel.ask(request, most_bytes=max_bytes + _SLACK_BYTES)
        if verb == b"missing":
            raise FileNotFoundError(f"the box has no file {path}")
        if verb != b"content":
            raise SandboxError(f"cannot read {path} from the box: {_text(details)}")
        return details[0]

    def list_files(self) -> list[str]:
        """See `Box.list_files`."""
        verb, *names = self._channel.ask([b"list"], most_bytes=64 * MIB)
        if verb != b"names":
            raise SandboxError(f"cannot list the box: {_text(names)}")
        return [name.decode(errors="backslashreplace") for name in names]

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ProgramResult:
        """See `Box.run`."""
        time_s = self._limits.time_s if timeout_s is None else timeout_s
        words = _encode_argv(argv)
        request = [
            b"run",
            repr(float(time_s)).encode(),
            b"0" if stdin is None else b"1",
            stdin or b"",
            str(len(words)).encode(),
            *words,
            *encode({**self._environment, **(env or {})}),
        ]
        reply = self._channel.ask(
            request,
            most_bytes=2 * self._limits.output_bytes + _SLACK_BYTES,
            patience_s=time_s + _PATIENCE_S,
        )
        if reply[0] != b"ran":
            raise SandboxError(f"the box broke: {_text(reply[1:])}")
        return _result(tuple(argv), reply, self._limits, time_s)

    def close(self) -> None:
        """See `Box.close`."""
        self._channel.close()


def encode_limits(limits: Limits) -> bytes:
    """Limits as the server reads them."""
    figures = (
        limits.time_s,
        limits.cpu_s,
        limits.memory_bytes,
        limits.processes,
        limits.file_bytes,
        limits.disk_bytes,
        limits.files,
        limits.output_bytes,
    )
    return " ".join(map(str, figures)).encode()


def encode_greeting(
    folders: tuple[str, str, str],
    limits: Limits,
    *,
    mounts: Sequence[str],
    folder: str,
    uid: int,
) -> list[bytes]:
    """The plan of a box whose folders (work, HOME, temporary) are made before its server starts.

    Its size is that of `mounts`, or is summed up in `folder`. A `uid` other than 0 is the
    user that a server started as root becomes.
    """
    work, home, tmp = folders
    plan = {
        "work": work,
        "home": home,
        "tmp": tmp,
        "mounts": "\0".join(mounts),
        "folder": folder,
        "uid": str(uid),
    }
    fields = [os.fsencode(word) for item in plan.items() for word in item]
    return [*fields, b"limits", encode_limits(limits)]


def _encode_argv(argv: Sequence[str]) -> list[bytes]:
    words = [os.fsencode(word) for word in argv]
    if not words or any(b"\0" in word for word in words):
        raise SandboxError(f"no command that can be started: {list(argv)!r}")
    return words


def _inner_path(path: str) -> bytes:
    """A path that stays in the workspace, normalized. Raises SandboxError."""
    pure = PurePosixPath(path)
    outside = pure.is_absolute() or ".." in pure.parts or not pure.parts
    if outside or "\0" in path or path.endswith("/"):
        raise SandboxError(f"no path of a file in the workspace: {path!r}")
    return os.fsencode(str(pure))


def _result(
    argv: tuple[str, ...], reply: list[bytes], limits: Limits, time_s: float
) -> ProgramResult:
    _, code, limit_name, duration_s, truncated, stdout, stderr = reply
    limit = limit_name.decode()
    return ProgramResult(
        argv=argv,
        returncode=None if limit else int(code),
        stdout=stdout.decode(errors="backslashreplace"),
        stderr=stderr.decode(errors="backslashreplace"),
        duration_s=float(duration_s),
        timed_out=limit == "time",
        output_truncated=truncated == b"1",
        out_of_memory=limit == "memory",
        limit=_describe(limit, limits, time_s),
    )


def _describe(limit: str, limits: Limits, time_s: float) -> str | None:
    """A limit in words for a person."""
    if not limit:
        return None
    words = {
        "time": f"time: {time_s:g} s",
        "cpu": f"CPU time: {limits.cpu_s} s",
        "memory": f"memory: {_bytes(limits.memory_bytes)}",
        "processes": f"processes: {limits.processes}",
        "file": f"file size: {_bytes(limits.file_bytes)}",
        "disk": f"disk: {_bytes(limits.disk_bytes)}",
        "files": f"files: {limits.files}",
    }
    return words[limit]


def _bytes(count: int) -> str:
    for size, unit in ((MIB, "MiB"), (KIB, "KiB")):
        if count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} bytes"


def _text(details: list[bytes]) -> str:
    return b" ".join(details).decode(errors="backslashreplace")
