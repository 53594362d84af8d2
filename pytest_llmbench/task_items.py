"""Pytest's items and the tasks behind them: parametrized, bound, chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_llmbench.models import Model
from pytest_llmbench.tasks import Binding, Case, Task, TaskError, prompt_names, read_task
from pytest_llmbench.work import Work

CASE = "llm_case"
"""The parameter that makes an item of each model, prompt and sample."""
WORK = pytest.StashKey[Work]()

Bound = tuple[pytest.Item, Binding]
"""A test item, and the answer that it judges."""


def find_work(item: pytest.Item) -> Work | None:
    """What is done for this item; None when it is no task."""
    return item.stash.get(WORK, None)


def works_of(session: pytest.Session) -> list[Work]:
    """What is done for all items of the session."""
    return [item.stash[WORK] for item in session.items if WORK in item.stash]


def parametrize_task(metafunc: pytest.Metafunc, models: Sequence[Model], samples: int) -> None:
    """Make a task's function one item for each model, prompt and sample; leave others alone."""
    marks = [mark.kwargs for mark in metafunc.definition.iter_markers("llm_task")]
    marks += _row_marks(metafunc.definition)
    if not marks:
        return
    prompts = prompt_names(marks)
    cases = [
        Case(model, prompt, sample)
        for model in models
        for prompt in prompts
        for sample in range(samples)
    ]
    metafunc.fixturenames.append(CASE)
    ids = [_case_id(case, prompts, samples) for case in cases]
    metafunc.parametrize(CASE, cases, ids=ids)


def _case_id(case: Case, prompts: Sequence[str], samples: int) -> str:
    parts = [case.model.label]
    if len(prompts) > 1:
        parts.append(case.prompt)
    if samples > 1:
        parts.append(f"s{case.sample}")
    return "-".join(parts)


def bind_items(items: Iterable[pytest.Item]) -> list[Bound]:
    """Each item of a task with what it judges. Raises TaskError for a mark that cannot be."""
    bound = []
    functions: dict[str, set[str]] = {}
    for item in items:
        case = parameters_of(item).get(CASE)
        if case is None:
            continue
        function = getattr(item, "originalname", item.name)
        marks = [mark.kwargs for mark in item.iter_markers("llm_task")]
        try:
            task = read_task(marks, function=function, folder=item.path.parent)
        except TaskError as error:
            raise TaskError(f"{item.nodeid.partition('[')[0]}: {error}") from None
        functions.setdefault(task.name, set()).add(_place_of(item))
        bound.append((item, Binding(task, case)))
    return [
        (item, replace(binding, shared=len(functions[binding.task.name]) > 1))
        for item, binding in bound
    ]


def choose_prompts(bound: Sequence[Bound], wanted: Sequence[str]) -> list[Bound]:
    """The items whose task has their prompt, and whose prompt the user wants.

    No wish at all, or `all`, wants every prompt. Raises TaskError for one that no task has.
    """
    known = {name: None for _, binding in bound for name in binding.task.prompts}
    unknown = [name for name in wanted if name not in known and name != "all"]
    if unknown and bound:
        raise TaskError(
            f"--llm-prompts: no task has a prompt {unknown[0]!r}; there are {', '.join(known)}"
        )
    everything = not wanted or "all" in wanted
    return [
        (item, binding)
        for item, binding in bound
        if binding.case.prompt in binding.task.prompts
        and (everything or binding.case.prompt in wanted)
    ]


def join_binding(binding: Binding, tasks: Mapping[str, Task]) -> Binding:
    """The binding with what all functions of its task say together."""
    whole = tasks[binding.task.name]
    task = replace(binding.task, points=whole.points, reference=whole.reference)
    return replace(binding, task=task)


def _place_of(item: pytest.Item) -> str:
    """The item's test function, and its row where it has one."""
    # The row's values are the same objects for every case; pytest's own indices count the cases.
    row = [(name, id(value)) for name, value in parameters_of(item).items() if name != CASE]
    return f"{item.nodeid.partition('[')[0]} {row}"


def parameters_of(item: pytest.Item) -> Mapping[str, Any]:
    """The parameters of an item; none for one that is not parametrized."""
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


def _row_marks(definition: pytest.Function) -> list[Mapping[str, Any]]:
    """The `llm_task` keywords on the rows of a data-driven test."""
    rows: list[Any] = []
    for parametrize in definition.iter_markers("parametrize"):
        values = parametrize.kwargs.get("argvalues", parametrize.args[1:2])
        if isinstance(values, tuple) and "argvalues" not in parametrize.kwargs:
            values = values[0] if values else ()
        if isinstance(values, list | tuple):  # an iterator would be used up by looking
            rows.extend(values)
    marked = [row.marks for row in rows if isinstance(row, type(pytest.param()))]
    return [
        getattr(mark, "mark", mark).kwargs
        for marks in marked
        for mark in marks
        if mark.name == "llm_task"
    ]


def model_of(item: pytest.Item) -> Model:
    """The model whose answer an item judges."""
    return item.stash[WORK].binding.case.model
