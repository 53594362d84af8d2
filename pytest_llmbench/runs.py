"""The index of runs: each run's report, kept beside the recordings, and found again by its name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pytest_llmbench.reports.baseline import Baseline
from pytest_llmbench.reports.json_report import ReportError, json_lines, read_document
from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.whole_files import write_whole

LATEST = "latest"
RUNS_SHOWN = 3


class BaselineError(ValueError):
    """An earlier run that cannot be had; its text is one line for a person."""


def keep_run(recordings: Path, summary: Summary) -> Path:
    """Write a run's report into the index, under the moment of its end. Raises OSError."""
    path = _index(recordings) / f"{datetime.now(UTC):%Y%m%dT%H%M%S-%f}.json"
    write_whole(path, json_lines(summary))
    return path


def read_baseline(wanted: str, recordings: Path, start: Path) -> Baseline:
    """An earlier run: `latest`, a name in the index, or the path of a JSON report.

    The report may be one of pytest-json-report with ours inside. Raises BaselineError.
    """
    path = _find(wanted, recordings, start)
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise BaselineError(f"{path} cannot be read: {reason}") from None
    if isinstance(document, dict) and "schema_version" not in document:
        document = document.get("llmbench", document)
    try:
        return Baseline(str(path), read_document(document))
    except ReportError as error:
        raise BaselineError(f"{path} cannot be read: {error}") from None


def _index(recordings: Path) -> Path:
    return recordings / "runs"


def _find(wanted: str, recordings: Path, start: Path) -> Path:
    index = _index(recordings)
    names = sorted(path.stem for path in index.glob("*.json"))
    if wanted == LATEST:
        if not names:
            raise BaselineError(f"there is no run in {index} yet; run once without this option")
        return index / f"{names[-1]}.json"
    if wanted.removesuffix(".json") in names:
        return index / f"{wanted.removesuffix('.json')}.json"
    if (start / wanted).is_file():
        return start / wanted
    known = f"the latest runs are {', '.join(names[-RUNS_SHOWN:])}" if names else "there is no run"
    raise BaselineError(f"{wanted!r} is neither a file nor a run in {index}; {known}")
