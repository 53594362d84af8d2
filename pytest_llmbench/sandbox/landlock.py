"""Landlock and seccomp: for where no namespaces are to be had, such as in containers."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_llmbench.sandbox import seccomp
from pytest_llmbench.sandbox.box import ServedBox, encode_limits
from pytest_llmbench.sandbox.environment import interpreter, interpreter_folders, interpreter_path
from pytest_llmbench.sandbox.launching import LauncherClient
from pytest_llmbench.sandbox.protocol import Box, Limits, SandboxError
from pytest_llmbench.sandbox.selftest import find_leak

_NEWEST_ABI = 7
_RESTRICTIONS = (
    "no sockets, not even on loopback",
    "no multiprocessing pools, queues and locks (they need /dev/shm)",
    "chmod and utime change nothing",
    "/tmp is not writable (TMPDIR is)",  # noqa: S108 - a name in a sentence
)
_NO_SIGNALS = "no signals, not even to own child processes"


class Landlock:
    """Each box is a folder and a server forked from one warm process.

    `newest_abi` lowers what is asked of the kernel, to try what older ones give.
    """

    name = "landlock"
    automatic = True

    def __init__(self, newest_abi: int = _NEWEST_ABI) -> None:
        self._newest_abi = newest_abi
        self._launcher = LauncherClient()

    @property
    def restrictions(self) -> Sequence[str]:
        """See `Sandbox.restrictions`."""
        if self._abi() < seccomp.LANDLOCK_SCOPES_SIGNALS:
            return (*_RESTRICTIONS, _NO_SIGNALS)
        return _RESTRICTIONS

    def find_obstacle(self) -> str | None:
        """See `Sandbox.find_obstacle`."""
        if platform.system() != "Linux":
            return "Landlock needs Linux"
        missing = seccomp.find_missing_filter()
        if missing:
            return missing
        if self._abi() == 0:
            return (
                "this kernel has no Landlock, or keeps it from containers; Linux 5.13 or later has"
            )
        try:
            return find_leak(self)
        except SandboxError as error:
            return str(error)

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """See `Sandbox.open_box`."""
        abi = self._abi()
        visible = [*interpreter_folders(), *readable]
        plan = [
            b"parent", tempfile.gettempdir().encode(),
            b"limits", encode_limits(limits),
            b"readable", "\0".join(map(str, visible)).encode(),
            b"confined", b"1",
            b"abi", str(abi).encode(),
            b"filter", seccomp.shared_filter(abi),
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

    def _abi(self) -> int:
        # Imported late: on other systems its constants mean nothing.
        from pytest_llmbench.sandbox.inside.kernel import landlock_abi  # noqa: PLC0415 - see above

        return min(landlock_abi(), self._newest_abi)
