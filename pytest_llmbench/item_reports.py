"""What an item's outcome says of its answer: the result, and its figures for JUnit."""

from __future__ import annotations

import pytest

from pytest_llmbench.results import Fault, Result
from pytest_llmbench.sandbox.protocol import SandboxError
from pytest_llmbench.work import Work


def write_result(work: Work, call: pytest.CallInfo[None]) -> Result | None:
    """The result, once this phase of the test has decided it."""
    if call.when == "call" and work.reached_end:
        return work.write_scored()
    if call.excinfo is None or call.when == "teardown":
        return None
    if call.excinfo.errisinstance(pytest.skip.Exception):
        return work.write_unscored(f"skipped: {call.excinfo.value}", "skipped")
    fault: Fault = "surroundings" if call.excinfo.errisinstance(SandboxError) else "suite"
    return work.write_unscored(call.excinfo.exconly(tryshort=True).splitlines()[0], fault)


def junit_properties(result: Result) -> list[tuple[str, object]]:
    """The result's figures as JUnit's properties; what is unknown is left out."""
    generation = result.generation
    properties = {
        "model": result.model,
        "task": result.task,
        "prompt": result.prompt,
        "sample": result.sample,
        "status": result.status,
        "score": result.score,
        "ttft_s": generation and generation.ttft_s,
        "total_s": generation and generation.total_s,
        "output_tokens": generation and generation.output_tokens,
        "tokens_per_s": generation and generation.tokens_per_s,
        "cost_usd": generation and generation.cost_usd,
    }
    return [(f"llmbench.{name}", value) for name, value in properties.items() if value is not None]
