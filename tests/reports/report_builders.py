"""Runs made by hand, for the tests of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_llmbench.reports.run import Environment, ModelRecord, Run, TaskRecord
from pytest_llmbench.results import CategoryScore, Check, Evidence, GenerationRecord, Result

HASH = "sha256:" + "0123456789abcdef" * 4
TODO_POINTS = {"syntax": 20.0, "features": 40.0, "functional": 40.0}
TODO_CHECKS = {"syntax": 1, "features": 10, "functional": 7}


def make_generation(**changes: Any) -> GenerationRecord:
    """An ordinary generation of a cloud model: 1 s to the first token, 11 s in all."""
    figures: dict[str, Any] = {
        "ttft_s": 1.0,
        "ttfo_s": 1.0,
        "thinking_s": 0.0,
        "total_s": 11.0,
        "connect_s": None,
        "connection_reused": None,
        "load_s": None,
        "input_tokens": 180,
        "cached_input_tokens": None,
        "output_tokens": 1001,
        "thinking_tokens": None,
        "tokens_reported_by": "provider",
        "tokens_per_s": 100.0,
        "tokens_per_s_method": "stream",
        "tokens_per_s_reason": None,
        "e2e_tokens_per_s": 91.0,
        "chars_per_s": 390.0,
        "stop_reason": "end",
        "provider_stop_reason": "end_turn",
        "truncated": False,
        "attempts": 1,
        "retry_wait_s": 0.0,
        "warm": None,
        "replayed": False,
        "cost_usd": None,
        "max_tokens": 8192,
    }
    return GenerationRecord(**{**figures, **changes})


def make_checks(
    failed: Mapping[str, Sequence[tuple[str, str | None]]] | None = None,
    counts: Mapping[str, int] = TODO_CHECKS,
) -> tuple[Check, ...]:
    """Checks by category; the last ones fail, with these messages and diagnosis codes."""
    checks = []
    for category, count in counts.items():
        failures = list((failed or {}).get(category, ()))
        for position in range(count):
            left = count - position
            message, code = failures[-left] if left <= len(failures) else (None, None)
            checks.append(
                Check(
                    category=category,
                    name=f"{category} {position + 1}",
                    passed=left > len(failures),
                    message=message,
                    duration_s=0.01,
                    diagnosis=code,
                )
            )
    return tuple(checks)


def roll_up(
    checks: Sequence[Check], points: Mapping[str, float] = TODO_POINTS
) -> dict[str, CategoryScore]:
    """The checks' category scores."""
    scores = {}
    for category, worth in points.items():
        passed = [check.passed for check in checks if check.category == category]
        earned = worth * sum(passed) / len(passed) if passed else 0.0
        scores[category] = CategoryScore(sum(passed), len(passed), earned, worth)
    return scores


def make_result(model: str = "devstral", **changes: Any) -> Result:
    """A scored result; its score follows from its checks unless given."""
    checks = changes.pop("checks", make_checks())
    categories = roll_up(checks, changes.pop("points", TODO_POINTS))
    task = changes.get("task", "todo")
    values: dict[str, Any] = {
        "nodeid": f"test_round1.py::test_{task}[{model}]",
        "model": model,
        "task": task,
        "prompt": "default",
        "sample": 0,
        "status": "scored",
        "reason": None,
        "fault": None,
        "score": sum(category.earned for category in categories.values()),
        "categories": categories,
        "checks": checks,
        "generation": make_generation(),
        "files": {"todo.py": HASH},
        "evidence": Evidence(),
    }
    return Result(**{**values, **changes})


def make_unscored(model: str = "devstral", **changes: Any) -> Result:
    """A result that the surroundings kept from being scored."""
    values: dict[str, Any] = {
        "status": "unscored",
        "reason": "no server at http://localhost:11434: start it with `ollama serve`",
        "fault": "surroundings",
        "score": None,
        "checks": (),
        "points": {},
        "generation": None,
        "files": {},
    }
    return make_result(model, **{**values, **changes})


def make_run(*results: Result, **changes: Any) -> Run:
    """A run over the models and tasks that the results name."""
    values: dict[str, Any] = {
        "environment": Environment("0.1.0", "3.11.7", "Linux-x86_64", "bubblewrap"),
        "models": {
            label: ModelRecord(spec=f"ollama/{label}", provider="ollama", kind="local")
            for label in dict.fromkeys(result.model for result in results)
        },
        "tasks": {
            name: TaskRecord(f"test_round1.py::test_{name}", TODO_POINTS, {"default": HASH})
            for name in dict.fromkeys(result.task for result in results)
        },
        "results": results,
    }
    return Run(**{**values, **changes})
