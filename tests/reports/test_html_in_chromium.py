"""The HTML report in a real browser; skipped where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chromium import Page, find_chromium, open_chromium
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.reports.writing import write_report
from test_html import hostile_run, pictured_run

PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert PROGRAM is not None
    with open_chromium(PROGRAM, tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_hostile_answers_run_nothing_and_ask_for_nothing(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    write_report(path, summarize(hostile_run()))
    browser.complaints.clear()
    browser.requests.clear()
    browser.open(path)
    assert browser.ask("document.title") == "Language models compared"
    assert browser.ask("document.scripts.length") == 1
    assert browser.complaints == []
    assert browser.requests == [path.as_uri()]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(
    browser: Page, tmp_path: Path, width: int, *, dark: bool
) -> None:
    path = tmp_path / "run.html"
    write_report(path, summarize(pictured_run()))
    browser.show(width=width, dark=dark)
    browser.open(path)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    background = browser.ask("getComputedStyle(document.documentElement).backgroundColor")
    assert background == ("rgb(20, 22, 26)" if dark else "rgb(255, 255, 255)")


def test_marks_are_drawn_and_reached_by_keyboard(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    write_report(path, summarize(pictured_run()))
    browser.show(width=1280, dark=False)
    browser.open(path)
    sizes = browser.ask(
        "[...document.querySelectorAll('.scatter .mark')]"
        ".map(mark => mark.getBoundingClientRect().width)"
    )
    assert len(sizes) == 6
    assert min(sizes) > 5
    named = browser.ask(
        "[...document.querySelectorAll('.scatter .mark')]"
        ".filter(mark => { mark.focus(); return document.activeElement === mark; })"
        ".map(mark => mark.getAttribute('aria-label'))"
    )
    assert named[0] == "sonnet: score 100, 8.00 s, on the front"


def test_results_are_filtered_and_code_is_set_side_by_side(browser: Page, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    write_report(path, summarize(pictured_run()))
    browser.open(path)
    browser.ask("document.getElementById('filter-lost').click()")
    shown = "[...document.querySelectorAll('.result')].filter(each => !each.hidden).length"
    assert browser.ask(shown) == 1
    browser.ask(
        "new Promise(done => {"
        " const pair = document.getElementById('side-by-side');"
        " pair.addEventListener('toggle', () => done(), {once: true});"
        " pair.open = true; })"
    )
    assert "sys.argv" in browser.ask("document.getElementById('left-code').textContent")
