"""Writing reports to files, the kind chosen by the suffix."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pytest_llmbench.reports.json_report import json_lines
from pytest_llmbench.reports.summary import Summary

Face: TypeAlias = Callable[[Summary], Iterator[str]]

FACES: Mapping[str, Face] = {".json": json_lines}
"""Suffix → what writes that kind of report, as pieces of text."""


def find_face(path: Path) -> Face:
    """The kind of report that a file's suffix asks for. Raises ValueError with one clean line."""
    face = FACES.get(path.suffix.lower())
    if face is None:
        known = ", ".join(FACES)
        got = repr(path.suffix) if path.suffix else "no suffix"
        raise ValueError(f"{path}: unknown kind of report ({got}); known suffixes: {known}")
    return face


def write_report(path: Path, summary: Summary) -> None:
    """Write one report, whole or not at all; missing folders are made.

    Raises ValueError for an unknown suffix and OSError when the file cannot be written.
    """
    face = find_face(path)
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            file.writelines(face(summary))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
