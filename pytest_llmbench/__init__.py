"""A pytest plugin in which language models are test parameters."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_llmbench.extraction import Extraction, extract_files
    from pytest_llmbench.generation.result import Generation, Rate, Timing, Usage
    from pytest_llmbench.given_tests import PytestResult
    from pytest_llmbench.rubric import Rubric
    from pytest_llmbench.sandbox.protocol import Limits, ProgramResult
    from pytest_llmbench.solution import Solution

__version__ = "0.1.0"

# Every pytest run of every project imports this package, because it holds the
# plugin. So its public names are imported on first use.
_PUBLIC_NAMES = {
    "Extraction": "pytest_llmbench.extraction",
    "Generation": "pytest_llmbench.generation.result",
    "Limits": "pytest_llmbench.sandbox.protocol",
    "ProgramResult": "pytest_llmbench.sandbox.protocol",
    "PytestResult": "pytest_llmbench.given_tests",
    "Rate": "pytest_llmbench.generation.result",
    "Rubric": "pytest_llmbench.rubric",
    "Solution": "pytest_llmbench.solution",
    "Timing": "pytest_llmbench.generation.result",
    "Usage": "pytest_llmbench.generation.result",
    "extract_files": "pytest_llmbench.extraction",
}

__all__ = [
    "Extraction",
    "Generation",
    "Limits",
    "ProgramResult",
    "PytestResult",
    "Rate",
    "Rubric",
    "Solution",
    "Timing",
    "Usage",
    "extract_files",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC_NAMES:
        return getattr(importlib.import_module(_PUBLIC_NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
