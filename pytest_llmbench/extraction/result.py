"""What an answer's text was read as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Extraction:
    """The files in one answer."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Path → text. Paths are relative, normalised and POSIX-like; texts end with a newline."""

    main: str | None = None
    """The text of `entry`; None when the answer does not hold that file."""

    reason: str | None = None
    """Why there is no file: `empty`, `refusal`, `prose`, `cut in reasoning`, or `unsafe path` when
    there was code, but under names alone that must not be written. None when there is a file."""

    truncated: bool | Literal["suspected"] = False
    """Whether the answer was cut off. True and False come from the stop reason; without one,
    `"suspected"` says that the last block is unclosed and does not parse."""

    warnings: tuple[str, ...] = ()
    """What a reader of the files should know: paths refused, versions passed over."""
