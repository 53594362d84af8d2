"""What a box costs beyond the programs' own time, as pairs in one run."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pytest_llmbench.sandbox.environment import base_interpreter, clean_environment
from pytest_llmbench.sandbox.protocol import Limits, Sandbox

ROUNDS = 15
SOLUTIONS = 3
QUIET_START_S = 0.014
"""What the interpreter's start takes on the quiet machine that the targets are meant for."""
SLACK = 3
TARGET_S = {"bubblewrap": 0.012, "landlock": 0.009}
TARGET_SOLUTION_S = 0.15


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def allowance(plain_s: list[float]) -> float:
    """By how much a target may be missed: the more, the slower the machine is just now."""
    return max(SLACK, statistics.median(plain_s) / QUIET_START_S)


def start_plainly(folder: Path) -> None:
    """The same program, with nothing around it."""
    subprocess.run(
        [str(base_interpreter()), "-c", "pass"],
        cwd=folder,
        env=clean_environment(str(folder), str(folder), []),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )


def test_one_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """The median difference between a run in a box and a plain subprocess."""
    box = sandbox.open_box(Limits())
    command = [sandbox.python(), "-c", "pass"]
    boxed_s, plain_s = [], []
    try:
        for _ in range(ROUNDS):
            boxed_s.append(timed(lambda: box.run(command)))
            plain_s.append(timed(lambda: start_plainly(tmp_path)))
    finally:
        box.close()
    differences = [boxed - plain for boxed, plain in zip(boxed_s, plain_s, strict=True)]
    assert statistics.median(differences) < allowance(plain_s) * TARGET_S[sandbox.name]


def test_one_solution(sandbox: Sandbox, tmp_path: Path) -> None:
    """A box opened, written to, used seven times and closed, against seven subprocesses."""
    command = [sandbox.python(), "-c", "pass"]

    def solve() -> None:
        box = sandbox.open_box(Limits())
        box.write_files({"todo.py": b"pass"})
        for _ in range(7):
            box.run(command)
        box.close()

    def solve_plainly() -> None:
        for _ in range(7):
            start_plainly(tmp_path)

    solve()
    boxed_s, plain_s = [], []
    for _ in range(SOLUTIONS):
        boxed_s.append(timed(solve))
        plain_s.append(timed(solve_plainly) / 7)
    differences = [boxed - 7 * plain for boxed, plain in zip(boxed_s, plain_s, strict=True)]
    assert statistics.median(differences) < allowance(plain_s) * TARGET_SOLUTION_S
