"""The JSON report: the document, its schema, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from importlib.resources import files
from typing import Any

from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.summary import Standing, Summary, summarize
from pytest_llmbench.results import Result

SCHEMA_VERSION = 1


def build_document(run: Run) -> dict[str, Any]:
    """The report of a run as plain JSON values."""
    return summary_document(summarize(run))


def summary_document(summary: Summary) -> dict[str, Any]:
    """The report of a run that is already rolled up, as plain JSON values."""
    run = summary.run
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": _plain(asdict(run.environment)),
        "fail_under": run.fail_under,
        "models": {label: _plain(asdict(model)) for label, model in run.models.items()},
        "tasks": {name: _plain(asdict(task)) for name, task in run.tasks.items()},
        "results": [_result(result) for result in run.results],
        "scoreboard": [_standing(standing) for standing in summary.scoreboard],
        "comparisons": [_plain(asdict(each)) for each in summary.comparisons],
    }


def json_lines(summary: Summary) -> Iterator[str]:
    """The report as text, one result a line."""
    document = summary_document(summary)
    last = len(document) - 1
    yield "{\n"
    for position, (key, value) in enumerate(document.items()):
        yield from _member(key, value, end="" if position == last else ",")
    yield "}\n"


def load_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the report."""
    text = files(__package__).joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


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
    plain = {
        each.name: getattr(result, each.name)
        for each in fields(Result)
        if each.name not in {"evidence", "categories", "checks", "generation", "diagnoses"}
    }
    plain["categories"] = {name: asdict(score) for name, score in result.categories.items()}
    plain["checks"] = [asdict(check) for check in result.checks]
    plain["generation"] = None if result.generation is None else asdict(result.generation)
    plain["diagnoses"] = [asdict(diagnosis) for diagnosis in result.diagnoses]
    ordered: dict[str, Any] = _plain(plain)
    return ordered


def _standing(standing: Standing) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(asdict(standing))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
