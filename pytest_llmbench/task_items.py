"""Pytest's items and the tasks behind them: parametrized, bound, chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pytest

from pytest_llmbench.models import Model
from pytest_llmbench.tasks import Binding, Case, Task, TaskError, prompt_names, read_task
from pytest_llmbench.work import Work

CASE = "llm_case"
"""The parameter that makes an item of each model, prompt and sample."""
WORK = pytest.StashKey[Work]()

AnswerKey: TypeAlias = tuple[str, str, str, int]
"""Model, task, prompt and sample."""

Bound: TypeAlias = tuple[pytest.Item, Binding]
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


Place: TypeAlias = tuple[str, tuple[int, ...]]
"""A test function, and the marks of its row: what has one task."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What was collected, before anything was deselected."""

    tasks: Mapping[Place, Task | TaskError]
    """The task of each place, or why its mark cannot be read."""
    keys: Mapping[str, AnswerKey]
    """Node id → the answer that the item judges."""
    judges: Mapping[AnswerKey, int]
    """How many items judge the same answer."""


def read_collected(items: Iterable[pytest.Item]) -> Collected:
    """The tasks behind the items; each mark is read once, whatever the models and samples."""
    tasks: dict[Place, Task | TaskError] = {}
    keys: dict[str, AnswerKey] = {}
    for item in items:
        case, place = parameters_of(item).get(CASE), _place_of(item)
        if place not in tasks and place[1]:
            tasks[place] = _read_task_of(item) if case else _refuse(item)
        task = tasks.get(place)
        if case is not None and isinstance(task, Task):
            keys[item.nodeid] = Binding(task, case).key
    return Collected(tasks, keys, Counter(keys.values()))


def bind_items(items: Iterable[pytest.Item], collected: Collected) -> list[Bound]:
    """Each item of a task with what it judges. Raises TaskError for a mark that cannot be."""
    bound = []
    for item in items:
        task, case = collected.tasks.get(_place_of(item)), parameters_of(item).get(CASE)
        if isinstance(task, TaskError):
            raise task
        if task is not None and case is not None:
            binding = Binding(task, case)
            shared = collected.judges[binding.key] > 1
            bound.append((item, replace(binding, shared=shared)))
    return bound


def find_sharers(chosen: Sequence[Bound], collected: Collected) -> list[tuple[str, AnswerKey]]:
    """The items that were left out but judge the same answers as the chosen ones."""
    keys = {binding.key for _, binding in chosen}
    running = {item.nodeid for item, _ in chosen}
    return [
        (nodeid, key)
        for nodeid, key in collected.keys.items()
        if key in keys and nodeid not in running
    ]


def _read_task_of(item: pytest.Item) -> Task | TaskError:
    function = getattr(item, "originalname", item.name)
    marks = list(item.iter_markers("llm_task"))
    try:
        if any(mark.args for mark in marks):
            raise TaskError("llm_task takes keywords only: prompt='…'")
        keywords = [mark.kwargs for mark in marks]
        return read_task(keywords, function=function, folder=item.path.parent)
    except TaskError as error:
        return TaskError(f"{item.nodeid.partition('[')[0]}: {error}")


def _refuse(item: pytest.Item) -> TaskError:
    return TaskError(
        f"{item.nodeid}: llm_task needs a function, or a method of a plain class; "
        "pytest gives a unittest.TestCase neither parameters nor fixtures"
    )


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


def _place_of(item: pytest.Item) -> Place:
    marks = tuple(id(mark) for mark in item.iter_markers("llm_task"))
    return item.nodeid.partition("[")[0], marks


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
