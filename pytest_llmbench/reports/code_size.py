"""How much code the answers hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from pytest_llmbench.results import Result

_FUNCTION = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]", re.MULTILINE)
_CLASS = re.compile(r"^[ \t]*class[ \t]", re.MULTILINE)
_WRITTEN_LINE = re.compile(r"^.*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CodeSize:
    """Counts over all files of an answer; for several answers, medians."""

    files: float
    lines: float
    """Lines that are not blank."""
    functions: float
    classes: float


def measure_code(results: Iterable[Result]) -> CodeSize | None:
    """The size of what one model wrote; None when no answer held a file."""
    sizes = [_measure(each.evidence.files.values()) for each in results if each.evidence.files]
    if not sizes:
        return None
    return CodeSize(
        files=median(size.files for size in sizes),
        lines=median(size.lines for size in sizes),
        functions=median(size.functions for size in sizes),
        classes=median(size.classes for size in sizes),
    )


def _measure(sources: Iterable[str]) -> CodeSize:
    texts = list(sources)
    return CodeSize(
        files=len(texts),
        lines=sum(len(_WRITTEN_LINE.findall(text)) for text in texts),
        functions=sum(len(_FUNCTION.findall(text)) for text in texts),
        classes=sum(len(_CLASS.findall(text)) for text in texts),
    )
