"""The HTML report: hostile texts stay texts, and what is drawn is the data."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from pytest_llmbench.reports.html.page import html_lines
from pytest_llmbench.reports.html.parts import BUDGET_CHARS, choose_parts
from pytest_llmbench.reports.json_report import summary_document
from pytest_llmbench.reports.run import ModelRecord, Run
from pytest_llmbench.reports.summary import Summary, summarize
from pytest_llmbench.results import Evidence, ProgramRun, Result
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored

HOSTILE = (
    "<script>document.title='owned'</script></script><!-- </pre></code>\"'>"
    "<img src=x onerror=alert(1)>\x1b[2J\u202e\u0000\ud800 javascript:alert(1)"
)
CODE = "import sys\n\n\ndef main() -> None:\n    print('<b>' + sys.argv[1])  # say it\n"


@dataclass
class Element:
    """One element of a page, with the text directly and deeper in it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    parents: tuple[Element, ...] = ()


@dataclass
class Page(HTMLParser):
    """All elements of a page, in order."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = Element(tag, dict(attrs), parents=tuple(self._open))
        self.elements.append(found)
        if tag not in {"meta", "link", "input"}:
            self._open.append(found)

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].tag == tag, f"</{tag}> inside of <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data

    def find(self, tag: str, style: str = "") -> list[Element]:
        return [
            each
            for each in self.elements
            if each.tag == tag
            and set(style.split()) <= set((each.attributes.get("class") or "").split())
        ]


def render(summary: Summary) -> str:
    return "".join(html_lines(summary))


def read(summary: Summary) -> Page:
    page = Page()
    page.feed(render(summary))
    page.close()
    return page


def hostile_run() -> Run:
    checks = make_checks({"syntax": [(HOSTILE, None)]})
    evidence = Evidence(
        prompt=HOSTILE,
        answer=HOSTILE,
        thinking=HOSTILE,
        files={HOSTILE: HOSTILE, "todo.py": f"x = '''{HOSTILE}'''\n"},
        runs=(ProgramRun(("python", HOSTILE), 1, HOSTILE, HOSTILE, 0.1, HOSTILE, HOSTILE),),
        timeline=((0.1, 0, 5), (0.5, 0, 50)),
    )
    generation = make_generation(warnings=(HOSTILE,), provider_stop_reason=HOSTILE)
    return make_run(
        make_result(HOSTILE, checks=checks, evidence=evidence, generation=generation),
        make_unscored("other", reason=HOSTILE),
    )


def pictured_run() -> Run:
    menu = make_checks({"functional": [("no", None)] * 7})
    thinker = make_generation(
        ttft_s=1.2, ttfo_s=28.2, thinking_s=27.0, total_s=30.91, cost_usd=0.02
    )
    evidence = Evidence(prompt="Build it.", answer=CODE, files={"todo.py": CODE})
    results = (
        make_result("devstral", generation=make_generation(load_s=0.5), evidence=evidence),
        make_result("sonnet", generation=make_generation(total_s=8.0, cost_usd=0.01)),
        make_result("r1", checks=menu, generation=thinker),
    )
    kinds = {"devstral": "local", "sonnet": "cloud", "r1": "cloud"}
    models = {label: ModelRecord(f"x/{label}", "x", kind) for label, kind in kinds.items()}  # type: ignore[arg-type]  # literals
    return make_run(*results, models=models)


def test_the_page_has_one_style_and_one_script_and_allows_no_other() -> None:
    page = read(summarize(hostile_run()))
    (script,), (style,) = page.find("script"), page.find("style")
    (policy,) = [
        each.attributes["content"] or ""
        for each in page.find("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    for content, directive in ((script.text, "script-src"), (style.text, "style-src")):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_nothing_hostile_becomes_markup_or_leads_anywhere() -> None:
    page = read(summarize(hostile_run()))
    assert not page.find("img")
    for each in page.elements:
        names = set(each.attributes)
        assert "style" not in names
        assert not any(name.startswith("on") for name in names)
        for name in names & {"href", "src"}:
            assert re.match(r"#|data:,$", each.attributes[name] or "")


def test_hostile_texts_are_shown_and_their_controls_are_not() -> None:
    text = render(summarize(hostile_run()))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)
    assert "&lt;script&gt;document.title=&#x27;owned&#x27;&lt;/script&gt;" in text
    assert r"\x1b[2J\u202e\x00\ud800" in text


def test_a_text_of_a_megabyte_is_cut() -> None:
    evidence = Evidence(
        prompt="p", answer="x", files={"a.py": "x" * 1_000_000}, thinking="y" * 10**6
    )
    text = render(summarize(make_run(make_result(evidence=evidence))))
    assert "… 960,000 characters left out …" in text
    assert len(text) < 200_000


def test_marks_stand_where_their_figures_say() -> None:
    summary = summarize(pictured_run())
    page = read(summary)
    scoreboard = {each["model"]: each for each in summary_document(summary)["scoreboard"]}
    times = [each for each in page.find("g", "mark") if chart_of(each) == "Score against time"]
    assert {each.attributes["data-model"] for each in times} == set(scoreboard)
    places = []
    for mark in times:
        standing = scoreboard[mark.attributes["data-model"] or ""]
        assert mark.attributes["data-score"] == str(standing["score"])
        assert mark.attributes["data-value"] == str(standing["total_s"])
        places.append((standing["total_s"], standing["score"], *middle(page, mark)))
    assert_linear([(value, x) for value, _, x, _ in places])
    assert_linear([(score, y) for _, score, _, y in places])


def test_a_local_model_stands_at_no_cost() -> None:
    page = read(summarize(pictured_run()))
    marks = [each for each in page.find("g", "mark") if chart_of(each) == "Score against cost"]
    assert {each.attributes["data-model"]: each.attributes["data-value"] for each in marks} == {
        "devstral": "0.0",
        "sonnet": "0.01",
        "r1": "0.02",
    }
    assert [
        each.attributes["data-model"]
        for each in marks
        if "front" in (each.attributes["class"] or "")
    ] == ["devstral"]


def chart_of(mark: Element) -> str | None:
    return mark.parents[-1].attributes.get("aria-label")


def middle(page: Page, mark: Element) -> tuple[float, float]:
    (shape,) = [
        each
        for each in page.elements
        if mark in each.parents and each.tag in {"circle", "rect", "polygon"}
    ]
    place = {name: float(value or 0) for name, value in shape.attributes.items()}
    if shape.tag == "circle":
        return place["cx"], place["cy"]
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def assert_linear(pairs: list[tuple[float, float]]) -> None:
    (first, at_first), *_, (last, at_last) = sorted(set(pairs))
    for value, at in pairs:
        expected = at_first + (at_last - at_first) * (value - first) / (last - first)
        assert at == pytest.approx(expected, abs=0.02)


def test_bars_are_the_parts_of_the_total() -> None:
    summary = summarize(pictured_run())
    page = read(summary)
    rows = [
        each
        for each in page.find("tr")
        if any(p.attributes.get("class") == "bars" for p in each.parents)
    ]
    assert len(rows) == 3
    for row, standing in zip(rows, summary.scoreboard, strict=True):
        assert row.text.startswith(standing.model)
        marks = [each for each in page.find("rect", "mark") if row in each.parents]
        seconds = [float(mark.attributes["data-seconds"] or 0) for mark in marks]
        widths = [float(mark.attributes["width"] or 0) for mark in marks]
        assert sum(seconds) == pytest.approx(standing.total_s)
        assert widths == pytest.approx([100 * each / 30.91 for each in seconds], abs=0.001)


def test_the_heat_map_counts_the_checks() -> None:
    run = make_run(
        make_result("a"),
        make_result("a", sample=1, checks=make_checks({"syntax": [("no", None)]})),
        make_result("b"),
    )
    page = read(summarize(run))
    cells = [each for each in page.find("td") if "data-passed" in each.attributes]
    counts = [(each.attributes["data-passed"], each.attributes["data-total"]) for each in cells]
    assert len(counts) == 36
    assert counts[:4] == [("1", "1"), ("1", "2"), ("1", "1"), ("2", "2")]
    assert [each.text for each in cells[:2]] == ["✓passed", "1/2"]


def test_a_long_list_of_checks_is_rolled_up() -> None:
    results = [make_result(task=f"task-{number}") for number in range(20)]
    assert summarize(make_run(*results)).heat_map.kind == "check, over all tasks"


def test_each_generation_has_its_part() -> None:
    page = read(summarize(pictured_run()))
    (devstral, *_) = page.find("details", "result")
    parts = [
        each
        for each in page.find("details", "result")
        if each.attributes["data-model"] == "devstral"
    ]
    (devstral,) = parts
    for expected in ("TTFT1.00 s", "total11.00 s", "stopped byend_turn", "todo.py", CODE):
        assert expected in devstral.text
    (link,) = [each for each in page.find("a") if devstral in each.parents]
    (prompt,) = [
        each for each in page.elements if f"#{each.attributes.get('id')}" == link.attributes["href"]
    ]
    assert "Build it." in prompt.text


def test_an_answer_without_a_file_is_shown_as_it_came() -> None:
    evidence = Evidence(answer="I would rather not.")
    page = read(summarize(make_run(make_result(evidence=evidence))))
    (part,) = page.find("details", "result")
    assert "I would rather not." in part.text


def test_a_run_with_more_than_a_page_holds_shows_failures_first() -> None:
    evidence = Evidence(files={"a.txt": "buy milk\n" * 2_200})
    failed = make_checks({"syntax": [("no", None)]})
    results: list[Result] = [
        make_result(
            task=f"t{number}", evidence=evidence, checks=failed if number >= 190 else make_checks()
        )
        for number in range(300)
    ]
    chosen = choose_parts(results)
    assert 0 < len(chosen) < 300
    assert set(range(190, 300)) <= chosen
    text = render(summarize(make_run(*results)))
    assert f"{len(chosen)} of 300 results are shown whole, the others as a line." in text
    assert len(text) < 2 * BUDGET_CHARS
