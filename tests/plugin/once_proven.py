"""A plugin for runs inside one process: sandboxes that are proven once, not in each run.

Workers and other processes of a run prove theirs by themselves, as for users.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_llmbench.sandbox.protocol import Sandbox


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_llmbench_sandboxes() -> Sequence[Sandbox]:
    """The same as ship for Linux, offered before them."""
    # Imported late: runs without a model import nothing of the package.
    from pytest_llmbench.sandbox.bubblewrap import Bubblewrap  # noqa: PLC0415 - see above
    from pytest_llmbench.sandbox.landlock import Landlock  # noqa: PLC0415

    class OnceProvenBubblewrap(Bubblewrap):
        def find_obstacle(self) -> str | None:
            return find_obstacle_once(Bubblewrap)

    class OnceProvenLandlock(Landlock):
        def find_obstacle(self) -> str | None:
            return find_obstacle_once(Landlock)

    return [OnceProvenBubblewrap(), OnceProvenLandlock()]


@functools.cache
def find_obstacle_once(kind: type[Sandbox]) -> str | None:
    """What one of its kind found."""
    sandbox = kind()
    try:
        return sandbox.find_obstacle()
    finally:
        sandbox.close()
