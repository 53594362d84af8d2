"""What a sandbox is: a kind of confinement, the boxes that it opens, and what a run tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

KIB = 1024
MIB = 1024 * KIB
SHOWN_CHARS = 60
"""Shown of each output in a result's repr."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use. The defaults are such that honest programs never meet them."""

    time_s: float = 10.0
    """Wall-clock seconds for one run."""
    cpu_s: int = 20
    """CPU seconds for one process."""
    memory_bytes: int = 512 * MIB
    """Resident memory of all processes of a run together."""
    processes: int = 64
    """Processes and threads of a run together."""
    file_bytes: int = 32 * MIB
    """The largest single file."""
    disk_bytes: int = 64 * MIB
    """All files of a box together."""
    files: int = 3000
    """Files and folders of a box together."""
    output_bytes: int = 1 * MIB
    """Kept of stdout and of stderr, each; the program may write more, which is dropped."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What became of one run. Nothing that a program does raises: it is all in here."""

    argv: tuple[str, ...]
    returncode: int | None
    """The exit code; -N when signal N ended the program; None when it was stopped by a limit."""
    stdout: str
    stderr: str
    """Decoded as UTF-8; what is not UTF-8 stands as backslash escapes.

    Control characters stay: `reports.safe_text.escape_controls` makes both fit to be shown.
    """
    duration_s: float
    timed_out: bool = False
    output_truncated: bool = False
    """More than `Limits.output_bytes` was written to one of the two."""
    out_of_memory: bool = False
    limit: str | None = None
    """The limit that ended the run, in words for a person: `time: 10 s`; None when none did."""

    def __repr__(self) -> str:
        """In short: pytest shows it below each failed assertion about the result."""
        return f"{type(self).__name__}({', '.join(self._essentials())})"

    def _essentials(self) -> list[str]:
        end = f"returncode={self.returncode}" if self.limit is None else f"limit={self.limit!r}"
        return [end, f"stdout={_shorten(self.stdout)}", f"stderr={_shorten(self.stderr)}"]


def _shorten(text: str) -> str:
    return repr(text) if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]!r}…"


class SandboxError(Exception):
    """The sandbox itself failed; says nothing about the program."""


class Box(Protocol):
    """One solution's own place: a workspace and a HOME that last until it is closed.

    Paths are relative to the workspace and POSIX-like; one that leads outside is refused
    with SandboxError, and no link is ever followed.
    """

    def write_files(self, files: Mapping[str, bytes]) -> None:
        """Put files into the workspace, making folders as needed.

        Whatever a program left in their way (a link, a file for a folder, a folder for a
        file) is replaced.
        """

    def read_file(self, path: str, *, max_bytes: int = 16 * MIB) -> bytes:
        """Read a regular file back. Raises FileNotFoundError, or SandboxError for all else."""

    def list_files(self) -> list[str]:
        """Regular files of the workspace, sorted."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ProgramResult:
        """Run a program to its end and kill whatever it left behind.

        stdin is closed (reads give end of file) unless given. `timeout_s` replaces
        `Limits.time_s`; `env` is added to the box's own clean environment.
        """

    def close(self) -> None:
        """Remove everything. Never raises for what a program left there."""


class Sandbox(Protocol):
    """One kind of confinement."""

    name: str
    automatic: bool
    """Whether `auto` may choose it; False: by name only."""

    @property
    def restrictions(self) -> Sequence[str]:
        """What honest programs miss in its boxes, each in a few words for a person."""

    def find_obstacle(self) -> str | None:
        """Prove the sandbox on this machine, with a hostile program and with an honest one.

        None when it held; else one line: why not, and what to do.
        """

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """Open a fresh box. `readable` folders are visible at their own path, read-only."""

    def python(self, *, libraries: bool = False) -> str:
        """The interpreter's path as programs in a box see it.

        The plain interpreter knows the standard library and what is installed beside it.
        With `libraries`, the one that also knows the libraries of the environment in which
        pytest runs; the box then has to be opened with `readable=[Path(sys.prefix)]`.
        """

    def close(self) -> None:
        """End what the sandbox keeps running between boxes."""
