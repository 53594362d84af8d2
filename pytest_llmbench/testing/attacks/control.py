"""The positive control: the same program without a sandbox, aimed at the same witness.

An attack that is contained everywhere may simply not work. So each is run once unconfined, in a
small form, and has to succeed.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_llmbench.sandbox.protocol import ProgramResult
from pytest_llmbench.testing.attacks.attack import Attack, read_outcome, settings_of
from pytest_llmbench.testing.attacks.ground import Ground

_PATIENCE_S = 15.0


def run_unconfined(attack: Attack, ground: Ground) -> str | None:
    """Run a planted-witness attack with no sandbox: what it achieved, or None.

    Raises NoPlaceError where the witness cannot be planted, AttackDidNotRunError where the
    program did not start.
    """
    folder = ground.new_folder(ground.home)
    with attack.plant(ground) as planted:
        command = [sys.executable, "-I", "-S", "-c", attack.source(), settings_of(planted, ground)]
        with _start(command, folder) as process:
            try:
                run = _follow(process, command, folder, attack)
                return planted.find_harm(read_outcome(run, ground, _reader(folder)))
            finally:
                ground.end_survivors()


@contextmanager
def _start(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (folder / "stdout").open("wb") as out,
        (folder / "stderr").open("wb") as err,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            close_fds=False,  # as a harness without care would
        ) as process,
    ):
        yield process


def _follow(
    process: subprocess.Popen[bytes], command: list[str], folder: Path, attack: Attack
) -> ProgramResult:
    """Wait for the program's end, or for its first attempt when it never ends."""
    start_s = time.monotonic()
    while process.poll() is None and time.monotonic() < start_s + _PATIENCE_S:
        if attack.outlives_limits and b'"tried"' in (folder / "stdout").read_bytes():
            break
        select.select([], [], [], 0.01)
    return ProgramResult(
        argv=tuple(command),
        returncode=process.poll(),
        stdout=(folder / "stdout").read_text("utf-8", "backslashreplace"),
        stderr=(folder / "stderr").read_text("utf-8", "backslashreplace"),
        duration_s=time.monotonic() - start_s,
    )


def _reader(folder: Path) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        file = folder / path
        return file.read_bytes() if file.is_file() else None  # follows links, as harnesses did

    return read
