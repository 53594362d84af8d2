"""The hooks that other plugins can implement; the built-in parts come through them too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_llmbench.providers.protocol import Provider
    from pytest_llmbench.sandbox.protocol import Sandbox


@pytest.hookspec
def pytest_llmbench_providers(config: pytest.Config) -> Sequence[Provider]:  # type: ignore[empty-body]  # a specification
    """Offer providers: each serves the models whose spec begins with its name and a slash."""


@pytest.hookspec
def pytest_llmbench_sandboxes(config: pytest.Config) -> Sequence[Sandbox]:  # type: ignore[empty-body]  # a specification
    """Offer sandboxes: `--llm-sandbox` takes one by its name; `auto` the first that holds."""
