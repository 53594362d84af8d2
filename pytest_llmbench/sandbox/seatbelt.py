"""Seatbelt: the sandbox of macOS. Written from its documentation; it has not been tried."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path

from pytest_llmbench.sandbox.environment import interpreter, interpreter_folders
from pytest_llmbench.sandbox.launching import INSIDE
from pytest_llmbench.sandbox.protocol import Box, Limits, SandboxError
from pytest_llmbench.sandbox.selftest import find_leak
from pytest_llmbench.sandbox.streaming import open_folder_box

_PROGRAM = "/usr/bin/sandbox-exec"
_READABLE = (
    "/bin",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/System/Library",
    "/System/Volumes/Preboot/Cryptexes",
    "/Library/Apple",
    "/private/etc/localtime",
    "/private/var/db/timezone",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
)


class Seatbelt:
    """Each box is a folder and a server that sandbox-exec has confined to it."""

    name = "seatbelt"
    automatic = True
    restrictions: Sequence[str] = (
        "no sockets, not even on loopback",
        "memory and processes are not limited",
    )

    def __init__(self, program: str = _PROGRAM) -> None:
        self._program = program

    def find_obstacle(self) -> str | None:
        """See `Sandbox.find_obstacle`."""
        if platform.system() != "Darwin":
            return "seatbelt needs macOS"
        try:
            return find_leak(self)
        except SandboxError as error:
            return str(error)

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """See `Sandbox.open_box`."""
        visible = [INSIDE.parent, *interpreter_folders(), *readable]
        return open_folder_box(
            lambda folder: [self._program, "-p", profile(folder, visible)], limits, readable
        )

    def python(self, *, libraries: bool = False) -> str:
        """See `Sandbox.python`."""
        return interpreter(libraries=libraries)

    def close(self) -> None:
        """See `Sandbox.close`. Nothing runs between boxes."""


def profile(folder: Path, readable: Sequence[Path]) -> str:
    """The rules: what is not allowed is refused."""
    visible = [*_READABLE, *map(str, readable)]
    reading = "\n".join(f"  (subpath {_quote(path)})" for path in visible)
    return f"""(version 1)
(deny default)
(allow process-fork)
(allow process-exec)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow ipc-posix-sem)
(allow file-read* (literal "/")
{reading})
(allow file-read* file-write* (subpath {_quote(str(folder))}) (literal "/dev/null"))
"""


def _quote(path: str) -> str:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
