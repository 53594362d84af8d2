"""Boxes of every sandbox that starts on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from box_types import OpenBox, RunPython
from pytest_llmbench.sandbox.bubblewrap import Bubblewrap
from pytest_llmbench.sandbox.landlock import Landlock
from pytest_llmbench.sandbox.protocol import Box, Limits, ProgramResult, Sandbox


@pytest.fixture(scope="session", params=[Bubblewrap, Landlock], ids=["bubblewrap", "landlock"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Each layer in turn; skipped, with its own reason, where it cannot start."""
    tried: Sandbox = request.param()
    obstacle = tried.find_obstacle()
    if obstacle is not None:
        tried.close()
        pytest.skip(obstacle)
    yield tried
    tried.close()


@pytest.fixture(scope="session")
def one_sandbox() -> Iterator[Sandbox]:
    """The first layer that starts, for what is the same whichever it is."""
    obstacles = []
    for tried in (Bubblewrap(), Landlock()):
        obstacle = tried.find_obstacle()
        if obstacle is None:
            yield tried
            tried.close()
            return
        tried.close()
        obstacles.append(obstacle)
    pytest.skip("; ".join(obstacles))


@pytest.fixture
def open_box(sandbox: Sandbox) -> Iterator[OpenBox]:
    """Opens boxes that are closed at the end of the test."""
    boxes: list[Box] = []

    def opened(**limits: float) -> Box:
        boxes.append(sandbox.open_box(Limits(**limits)))  # type: ignore[arg-type]  # whole figures
        return boxes[-1]

    yield opened
    for box in boxes:
        box.close()


@pytest.fixture
def run_python(sandbox: Sandbox, open_box: OpenBox) -> RunPython:
    """Runs Python code in a fresh box; keywords are limits, or arguments of `Box.run`."""

    def run(
        code: str,
        *argv: str,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        **limits: float,
    ) -> ProgramResult:
        box = open_box(**limits)
        box.write_files({"program.py": code.encode()})
        return box.run([sandbox.python(), "program.py", *argv], stdin=stdin, timeout_s=timeout_s)

    return run
