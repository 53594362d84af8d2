"""From a generation over its solution to the rubric: what a task's test function asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_llmbench.generation.result import Generation
    from pytest_llmbench.rubric import Rubric
    from pytest_llmbench.solution import Solution
    from pytest_llmbench.work import Work


@pytest.fixture
def generation(request: pytest.FixtureRequest) -> Generation:
    """The model's answer to this task, with its times; waits until it is there."""
    return _find_work(request).wait_for_generation()


@pytest.fixture
def solution(request: pytest.FixtureRequest, generation: Generation) -> Iterator[Solution]:
    """The answer's files, and a box of its own in which its program runs."""
    opened = _find_work(request).open_solution(generation)
    yield opened
    opened.close()


@pytest.fixture
def rubric(request: pytest.FixtureRequest, generation: Generation) -> Rubric:  # noqa: ARG001  # no checks without an answer
    """The checks: `with rubric.check(category, name): assert …`."""
    return _find_work(request).rubric


def _find_work(request: pytest.FixtureRequest) -> Work:
    from pytest_llmbench.task_items import find_work  # noqa: PLC0415  # costs nothing unused

    work = find_work(request.node)
    if work is None:
        pytest.fail(
            f"{request.node.name} is no task: mark it with @pytest.mark.llm_task(prompt='…') "
            "to use generation, solution and rubric",
            pytrace=False,
        )
    return work
