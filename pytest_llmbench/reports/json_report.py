"""The JSON report: the document, its schema, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from pytest_llmbench.reports.run import Environment, ModelRecord, Run, TaskRecord
from pytest_llmbench.reports.summary import Summary, summarize
from pytest_llmbench.results import Result

SCHEMA_VERSION = 1

Record = TypeVar("Record")


class ReportError(ValueError):
    """A report that cannot be read; its text says what is wrong with it."""


def build_document(run: Run) -> dict[str, Any]:
    """The report of a run as plain JSON values."""
    return summary_document(summarize(run))


def summary_document(summary: Summary) -> dict[str, Any]:
    """The report of a run that is already rolled up, as plain JSON values."""
    run, changes = summary.run, summary.changes
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": to_plain(run.environment),
        "fail_under": run.fail_under,
        "models": to_plain(run.models),
        "tasks": to_plain(run.tasks),
        "results": [_result(result) for result in run.results],
        "scoreboard": to_plain(summary.scoreboard),
        "comparisons": to_plain([*summary.comparisons, *(changes.comparisons if changes else ())]),
        **({} if changes is None else {"baseline": changes.source}),
        "totals": to_plain(summary.totals),
        "troubles": to_plain(summary.troubles),
        "front": to_plain(summary.front),
        "verdict": to_plain(summary.verdict),
    }


def json_lines(summary: Summary) -> Iterator[str]:
    """The report as text, one result a line."""
    document = summary_document(summary)
    last = len(document) - 1
    yield "{\n"
    for position, (key, value) in enumerate(document.items()):
        yield from _member(key, value, end="" if position == last else ",")
    yield "}\n"


def read_document(document: Any) -> Run:
    """The run that a report tells of; what a report leaves out (texts, outputs) is empty.

    Raises ReportError, with one clean line.
    """
    if not isinstance(document, dict) or not isinstance(document.get("schema_version"), int):
        raise ReportError("it is no report of pytest-llmbench: it has no schema_version")
    version = document["schema_version"]
    if version > SCHEMA_VERSION:
        raise ReportError(
            f"it has schema version {version}, this pytest-llmbench reads up to {SCHEMA_VERSION}; "
            "upgrade pytest-llmbench"
        )
    try:
        return Run(
            environment=_pick(Environment, document["environment"]),
            models={name: _pick(ModelRecord, each) for name, each in document["models"].items()},
            tasks={name: _pick(TaskRecord, each) for name, each in document["tasks"].items()},
            results=tuple(map(Result.from_json, document["results"])),
            fail_under=document["fail_under"],
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise ReportError(f"it is no report of pytest-llmbench: {error!r}") from None


def load_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the report."""
    text = files(__package__).joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _pick(record: type[Record], data: Mapping[str, Any]) -> Record:
    kind: object = record
    return record(**{name: data[name] for name in _field_names(kind) if name in data})


def _member(key: str, value: Any, end: str) -> Iterator[str]:
    """`"key": value`; of a list or an object, each part on a line of its own."""
    if isinstance(value, dict) and value:
        parts = [f"{_dump(name)}: {_dump(part)}" for name, part in value.items()]
        yield f" {_dump(key)}: {{\n  " + ",\n  ".join(parts) + f"}}{end}\n"
    elif isinstance(value, list) and value:
        yield f" {_dump(key)}: [\n"
        for part in value[:-1]:
            yield f"  {_dump(part)},\n"
        yield f"  {_dump(value[-1])}]{end}\n"
    else:
        yield f" {_dump(key)}: {_dump(value)}{end}\n"


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _result(result: Result) -> dict[str, Any]:
    return {name: to_plain(getattr(result, name)) for name in _RESULT_KEYS}


def to_plain(value: Any) -> Any:
    """A record as plain JSON values: dicts with text keys, lists, scalars."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    record: object = type(value)
    return {name: to_plain(getattr(value, name)) for name in _field_names(record)}


@cache
def _field_names(record: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(record))


_RESULT_KEYS = tuple(name for name in _field_names(Result) if name != "evidence")
