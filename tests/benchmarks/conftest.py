"""Benchmarks need the machine to themselves."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def alone() -> None:
    """Skips beside the workers of xdist, which would be what is measured, before any set-up."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("timed: run `pytest tests/benchmarks`, without workers")
