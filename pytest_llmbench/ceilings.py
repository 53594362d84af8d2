"""Ceilings over a task's test, so that nothing in it can hang a run.

While a test waits for its answer, the answer's own time limits hold. From then on, pytest-timeout
ends a test that never comes to its end: that test alone, as unscored, and the run goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from pytest_llmbench.generation.ask import RetryPolicy
from pytest_llmbench.sandbox.protocol import Limits

RUNS = 100
"""More programs than a test starts one after the other: even if each of them hangs until it is
ended, the test comes to its end and is scored."""


def stage_ceiling_s(timeout_s: float) -> float:
    """Longer than any stage of a generation lasts: reaching and loading, answering, waiting."""
    return 3 * timeout_s + RetryPolicy().longest_wait_s


def call_ceiling_s(timeout_s: float, *, asks_in_body: bool) -> float:
    """Longer than a test's body lasts; `asks_in_body`: it fetches the answer itself."""
    programs_s = RUNS * Limits().time_s
    if not asks_in_body:
        return programs_s
    policy = RetryPolicy()
    return programs_s + policy.attempts * (2 * timeout_s + policy.longest_wait_s)


def give_ceilings(config: pytest.Config, tasks: Iterable[pytest.Item], timeout_s: float) -> None:
    """Mark each task's item with a timeout, unless the user set one."""
    if not config.pluginmanager.hasplugin("timeout") or _has_timeout(config):
        return
    for item in tasks:
        if item.get_closest_marker("timeout") is None:
            asks_in_body = "generation" not in getattr(item, "fixturenames", ())
            seconds = call_ceiling_s(timeout_s, asks_in_body=asks_in_body)
            item.add_marker(pytest.mark.timeout(seconds, func_only=True))


def _has_timeout(config: pytest.Config) -> bool:
    """Whether a timeout for all tests was given, in any of the ways that pytest-timeout knows."""
    given = (config.getoption("timeout", None), os.environ.get("PYTEST_TIMEOUT"))
    return any(each is not None for each in given) or bool(config.getini("timeout"))
