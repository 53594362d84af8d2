"""Writing reports to files, the kind chosen by the suffix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pytest_llmbench.reports.csv_report import check_csv_lines, result_csv_lines
from pytest_llmbench.reports.html.page import html_lines
from pytest_llmbench.reports.json_report import json_lines
from pytest_llmbench.reports.markdown import markdown_lines
from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.whole_files import write_whole

Face: TypeAlias = Callable[[Summary], Iterator[str]]

FACES: Mapping[str, Mapping[str, Face]] = {
    ".json": {".json": json_lines},
    ".html": {".html": html_lines},
    ".md": {".md": markdown_lines},
    ".csv": {".csv": result_csv_lines, ".checks.csv": check_csv_lines},
}
"""Suffix asked for → the files to write: suffix → their pieces of text."""


def find_face(path: Path) -> Mapping[str, Face]:
    """What a file's suffix asks for. Raises ValueError with one clean line."""
    faces = FACES.get(path.suffix.lower())
    if faces is None:
        known = ", ".join(FACES)
        got = repr(path.suffix) if path.suffix else "no suffix"
        raise ValueError(f"{path}: unknown kind of report ({got}); known suffixes: {known}")
    return faces


def write_report(path: Path, summary: Summary) -> tuple[Path, ...]:
    """Write one report, each file whole or not at all; missing folders are made.

    Returns the files: `name.csv` has `name.checks.csv` beside it.
    Raises ValueError for an unknown suffix and OSError when a file cannot be written.
    """
    files = [
        (path if suffix == path.suffix.lower() else path.with_suffix(suffix), face)
        for suffix, face in find_face(path).items()
    ]
    for file, face in files:
        write_whole(file, face(summary))
    return tuple(file for file, _ in files)
