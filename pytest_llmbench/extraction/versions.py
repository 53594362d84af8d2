"""Several blocks for one path: which of them is the file."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pytest_llmbench.extraction.python_source import PythonSource

_ELISION = re.compile(
    r"^[ \t]*(?:\.\.\.|…)[ \t]*$"
    r"|^[ \t]*(?:#|//|--|/\*|<!--|;)[^\n\w.…]{0,9}(?:\.\.\.|…)"
    r"|^[ \t]*(?:#|//|--|/\*|<!--|;)[^\n]{0,80}\b(?:unchanged|existing code|rest of (?:the|your)"
    r"|same as (?:before|above)|remains? the same|as before|previous code|omitted)\b",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Version:
    """One block that an answer calls by a certain name."""

    text: str
    is_complete: bool
    """It is closed, or it parses where that can be told."""
    is_firm: bool
    """The name is no guess."""
    source: PythonSource | None = None
    """Its outline, for Python."""

    @property
    def is_elided(self) -> bool:
        """It leaves something out: a line `...`, or a comment such as "unchanged"."""
        return _ELISION.search(self.text) is not None


def choose_version(versions: Sequence[Version], defines: Collection[str]) -> Version:
    """The last complete version; one that leaves something out replaces no complete one."""
    chosen = versions[0]
    for version in versions[1:]:
        if _replaces(version, chosen, defines):
            chosen = version
    return chosen


def _replaces(later: Version, earlier: Version, defines: Collection[str]) -> bool:
    if not earlier.is_complete:
        return later.is_complete or not later.is_elided
    if not later.is_complete:
        return False
    if later.is_elided and not earlier.is_elided:
        return False
    if later.is_firm or later.source is None or earlier.source is None:
        return True
    # A guess may be an example of how to use the file: it must define what the file defined.
    kept = set(later.source.defined)
    needed = kept.intersection(earlier.source.defined) or not earlier.source.defined
    return bool(needed) and all(name in kept for name in defines if name in earlier.source.defined)
