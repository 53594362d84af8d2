"""The `llm_task` mark: what a task is, and how its keywords are read."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pytest_llmbench.extraction.paths import UnsafePathError, safe_path
from pytest_llmbench.models import Model, find_flaw
from pytest_llmbench.sandbox.protocol import Limits

DEFAULT_PROMPT = "default"
DEFAULT_ENTRY = "solution.py"
KEYWORDS = (
    "prompt",
    "prompts",
    "system",
    "points",
    "entry",
    "expects",
    "defines",
    "max_tokens",
    "reference",
    "name",
    "limits",
    "libraries",
)
FENCE = "~" * 8
FULL_POINTS = 100


class TaskError(ValueError):
    """A mark that cannot be right; its text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing that models are asked to do."""

    name: str
    prompts: Mapping[str, str]
    """Name → text, in the order of the mark."""
    points: Mapping[str, float]
    """Category → points; empty: all checks share 100."""
    system: str | None = None
    entry: str = DEFAULT_ENTRY
    expects: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    max_tokens: int | None = None
    reference: str | None = None
    """The suite's own solution, as the text of an answer."""
    limits: Limits = field(default_factory=Limits)
    """What each run of the answer's program may use."""
    libraries: bool = False
    """Whether the program may import what is installed beside pytest."""
    folder: Path = field(default_factory=Path, compare=False)
    """Where the suite's file lies, which its paths are relative to."""

    def prompt_digests(self) -> dict[str, str]:
        """Prompt name → `sha256:…` of what is sent: system text and prompt."""
        return {name: digest(f"{self.system or ''}\0{text}") for name, text in self.prompts.items()}


@dataclass(frozen=True, slots=True)
class Case:
    """One answer to one task: what a test item is parametrized with."""

    model: Model
    prompt: str
    sample: int


@dataclass(frozen=True, slots=True)
class Binding:
    """A test item and the answer that it judges."""

    task: Task
    case: Case
    shared: bool = field(default=False, compare=False)
    """Other test functions judge the same answer."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What one generation and one score belong to."""
        return (self.case.model.label, self.task.name, self.case.prompt, self.case.sample)


def digest(text: str) -> str:
    """`sha256:…` of a text."""
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def prompt_names(marks: Iterable[Mapping[str, Any]]) -> list[str]:
    """The prompt variants that any of these marks' keywords define, each once."""
    names: dict[str, None] = {}
    for keywords in marks:
        prompts = keywords.get("prompts")
        if isinstance(prompts, Mapping):
            names.update(dict.fromkeys(str(name) for name in prompts))
        elif "prompt" in keywords:
            names[DEFAULT_PROMPT] = None
    return list(names) or [DEFAULT_PROMPT]


def read_task(marks: Sequence[Mapping[str, Any]], *, function: str, folder: Path) -> Task:
    """A task from the keywords of its marks, nearest first.

    `function` gives the default name; `reference` paths are relative to `folder`.
    Raises TaskError.
    """
    given: dict[str, Any] = {}
    for keywords in reversed(marks):
        if "prompt" in keywords or "prompts" in keywords:
            given.pop("prompt", None)
            given.pop("prompts", None)
        given.update(keywords)
    _refuse_unknown(given)
    entry = _read_entry(given)
    return Task(
        name=_read_name(given, function),
        prompts=_read_prompts(given),
        points=_read_points(given.get("points", {})),
        system=_text(given, "system", None),
        entry=entry,
        expects=_names(given, "expects"),
        defines=_names(given, "defines"),
        max_tokens=_read_max_tokens(given.get("max_tokens")),
        reference=_read_reference(given.get("reference"), entry, folder),
        limits=_read_limits(given.get("limits", {})),
        libraries=_read_libraries(given.get("libraries", False)),
        folder=folder,
    )


def join_tasks(tasks: Sequence[tuple[str, Task]]) -> dict[str, Task]:
    """Task name → task, from (place, task) of every function; one task may have several.

    Their points are put together; whatever is sent to the model must be the same everywhere.
    Raises TaskError.
    """
    joined: dict[str, tuple[str, Task]] = {}
    for place, task in tasks:
        first_place, first = joined.setdefault(task.name, (place, task))
        if _question(first) != _question(task):
            raise TaskError(
                f"{place} and {first_place} are both named {task.name!r} but ask differently; "
                "give one of them another llm_task(name=…)"
            )
        for category, worth in task.points.items():
            if first.points.get(category, worth) != worth:
                raise TaskError(
                    f"{place} gives {category!r} {worth:g} points, "
                    f"{first_place} {first.points[category]:g}; say it once"
                )
        if bool(first.points) != bool(task.points):
            raise TaskError(
                f"{place} and {first_place} judge the task {task.name!r}, one with points= and one "
                "without; give it to both or to none"
            )
        if None not in (first.reference, task.reference) and first.reference != task.reference:
            raise TaskError(
                f"{place} and {first_place} give the task {task.name!r} two different references"
            )
        points = {**first.points, **task.points}
        _refuse_too_many_points(f"{place} and {first_place}: llm_task(points=…)", points)
        reference = first.reference if task.reference is None else task.reference
        joined[task.name] = (first_place, replace(first, points=points, reference=reference))
    return {name: task for name, (_, task) in joined.items()}


def _refuse_too_many_points(place: str, points: Mapping[str, float]) -> None:
    total = sum(points.values())
    if total > FULL_POINTS + 1e-6:
        raise TaskError(f"{place}: they add up to {total:g}; a full score is {FULL_POINTS}")


def _question(task: Task) -> tuple[Any, ...]:
    return (dict(task.prompts), task.system, task.max_tokens)


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    for keyword in given:
        if keyword not in KEYWORDS:
            near = difflib.get_close_matches(keyword, KEYWORDS, n=1)
            guess = f"did you mean {near[0]}=?" if near else f"it knows {', '.join(KEYWORDS)}"
            raise TaskError(f"llm_task has no keyword {keyword}=; {guess}")


def _read_entry(given: Mapping[str, Any]) -> str:
    entry = _text(given, "entry", DEFAULT_ENTRY)
    try:
        return safe_path(entry)
    except UnsafePathError as error:
        raise TaskError(f"llm_task(entry={entry!r}): {error}; expected a relative path") from None


def _read_name(given: Mapping[str, Any], function: str) -> str:
    name: str = _text(given, "name", function.removeprefix("test_"))
    path = Path(name)
    if not name or path.is_absolute() or ".." in path.parts:
        raise TaskError(f"llm_task(name={name!r}): expected a name such as 'todo' or 'group/todo'")
    if flaw := find_flaw(name):
        raise TaskError(f"llm_task(name={name!r}): it {flaw}")
    return name


def _read_prompts(given: Mapping[str, Any]) -> dict[str, str]:
    if "prompt" in given and "prompts" in given:
        raise TaskError("llm_task takes prompt= or prompts=, not both")
    prompts = given.get("prompts", {DEFAULT_PROMPT: given.get("prompt")})
    if not isinstance(prompts, Mapping) or not prompts:
        raise TaskError(f"llm_task(prompts={prompts!r}): expected a dict of name → text")
    if prompts == {DEFAULT_PROMPT: None}:
        raise TaskError("llm_task needs a prompt: prompt='…' or prompts={'name': '…'}")
    for name, text in prompts.items():
        flaw = find_flaw(str(name)) if str(name) else "is empty"
        if flaw:
            raise TaskError(f"llm_task(prompts=…): the prompt's name {str(name)!r} {flaw}")
        if not isinstance(text, str) or not text.strip():
            raise TaskError(f"llm_task: the prompt {name!r} is {text!r}; expected a text")
    return {str(name): text for name, text in prompts.items()}


def _read_points(points: Any) -> dict[str, float]:
    if not isinstance(points, Mapping):
        raise TaskError(f"llm_task(points={points!r}): expected a dict of category → points")
    for category, worth in points.items():
        if not isinstance(category, str) or not category.strip():
            raise TaskError(f"llm_task(points=…): {category!r} names no category")
        number = isinstance(worth, int | float) and not isinstance(worth, bool)
        if not number or not 0 <= worth < float("inf"):
            raise TaskError(
                f"llm_task(points=…): {category!r} has {worth!r} points; "
                "expected a number that is not negative"
            )
    if points and not any(points.values()):
        raise TaskError(f"llm_task(points={dict(points)!r}): no category has any points")
    _refuse_too_many_points("llm_task(points=…)", points)
    return {category: float(worth) for category, worth in points.items()}


def _read_max_tokens(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise TaskError(f"llm_task(max_tokens={value!r}): expected a whole number of at least 1")
    return value


def _read_limits(values: Any) -> Limits:
    known = {each.name: type(each.default) for each in fields(Limits)}
    if not isinstance(values, Mapping):
        raise TaskError(f"llm_task(limits={values!r}): expected a dict such as {{'time_s': 30}}")
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            guess = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise TaskError(f"llm_task(limits=…): there is no limit {name!r}; {guess}")
        kinds = (int, float) if known[name] is float else (int,)
        if not isinstance(value, kinds) or isinstance(value, bool) or value <= 0:
            raise TaskError(f"llm_task(limits=…): {name!r} is {value!r}; expected a number above 0")
    return Limits(**values)


def _read_libraries(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TaskError(f"llm_task(libraries={value!r}): expected True or False")
    return value


def _read_reference(value: Any, entry: str, folder: Path) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | Path):
        raise TaskError(f"llm_task(reference={value!r}): expected a path or a text")
    if isinstance(value, str) and "\n" in value:
        return value if "```" in value or "~~~" in value else _fence(entry, value)
    path = folder / value
    try:
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.is_file())
            return "\n".join(
                _fence(each.relative_to(path).as_posix(), each.read_text(encoding="utf-8"))
                for each in files
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = "; a solution that is no path needs a line break" if isinstance(value, str) else ""
        raise TaskError(
            f"llm_task(reference={str(value)!r}) cannot be read: {error}{hint}"
        ) from None
    return text if path.suffix == ".md" else _fence(entry, text)


def _fence(path: str, text: str) -> str:
    return f"{FENCE} {path}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{FENCE}\n"


def _text(given: Mapping[str, Any], keyword: str, default: Any) -> Any:
    value = given.get(keyword, default)
    if value is not default and (not isinstance(value, str) or not value.strip()):
        raise TaskError(f"llm_task({keyword}={value!r}): expected a text")
    return value


def _names(given: Mapping[str, Any], keyword: str) -> tuple[str, ...]:
    value = given.get(keyword, ())
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        raise TaskError(f"llm_task({keyword}={value!r}): expected a list of names")
    return tuple(value)
