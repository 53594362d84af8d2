"""What programs find around them: the interpreter, and a clean environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

USER = "user"


def base_interpreter() -> Path:
    """The interpreter below any virtual environment, at its real path."""
    beside = Path(
        sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}"
    )
    if beside.exists():
        return beside
    base: str = getattr(sys, "_base_executable", sys.executable)
    return Path(base)


def interpreter(*, libraries: bool) -> str:
    """The interpreter to name in a command: the base's, or the environment's own."""
    if not libraries:
        return str(base_interpreter())
    return os.path.normpath(sys.executable)  # its link leads out of the environment; keep it


def interpreter_folders() -> list[Path]:
    """The folders outside /usr without which the base interpreter does not start."""
    wanted = {Path(sys.base_prefix), Path(sys.base_exec_prefix)}
    wanted |= {folder.resolve() for folder in set(wanted)}
    return sorted(folder for folder in wanted if not folder.is_relative_to("/usr"))


def interpreter_path(readable: Sequence[Path]) -> list[str]:
    """The folders in which programs find `python3`: the environment's own where it may be read."""
    base = str(base_interpreter().parent)
    return [str(Path(sys.executable).parent), base] if Path(sys.prefix) in readable else [base]


def clean_environment(home: str, tmp: str, interpreters: Sequence[str]) -> dict[str, str]:
    """The environment of every program: nothing of the user's, and the interpreter first."""
    path = dict.fromkeys([*interpreters, "/usr/local/bin", "/usr/bin", "/bin"])
    return {
        "PATH": ":".join(path),
        "HOME": home,
        "TMPDIR": tmp,
        "USER": USER,
        "LOGNAME": USER,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        # Without it 20 threads reserve more address space than a program may have.
        "MALLOC_ARENA_MAX": "2",
    }


def encode(environment: Mapping[str, str]) -> list[bytes]:
    """As `NAME=value` words."""
    return [
        f"{name}={value}".encode(errors="surrogateescape") for name, value in environment.items()
    ]
