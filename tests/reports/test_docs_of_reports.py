"""The reference names what the code knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_llmbench.diagnosis import CODES
from pytest_llmbench.reports.json_report import load_schema
from pytest_llmbench.reports.writing import FACES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def read_rows(path: Path) -> dict[str, str]:
    """First cell → second cell of all tables of a page."""
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def test_every_code_and_every_suffix_is_documented() -> None:
    rows = read_rows(REFERENCE / "reports.md")
    assert rows == {**{suffix: rows[suffix] for suffix in FACES}, **CODES}


def test_every_key_at_the_top_of_the_report_is_documented() -> None:
    assert set(read_rows(REFERENCE / "json.md")) == set(load_schema()["properties"])


@pytest.mark.parametrize(
    "block",
    re.findall(
        r"^```python\n(.*?)^```$",
        (REFERENCE / "json.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    ),
)
def test_the_examples_run(block: str) -> None:
    exec(compile(block, "json.md", "exec"), {})  # noqa: S102  # the project's own documentation
