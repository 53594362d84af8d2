"""The page: one file, nothing fetched, no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files

from pytest_llmbench.reports.comparisons import show_points
from pytest_llmbench.reports.figures import UNKNOWN, show_score
from pytest_llmbench.reports.heat_map import HeatMap
from pytest_llmbench.reports.html.charts import (
    PHASE_NAMES,
    Point,
    phase_bar,
    score_against_cost,
    score_against_time,
)
from pytest_llmbench.reports.html.markup import element, start, text
from pytest_llmbench.reports.html.parts import choose_parts, line, part
from pytest_llmbench.reports.standings import Tally
from pytest_llmbench.reports.summary import Summary
from pytest_llmbench.reports.tables import (
    Table,
    code_table,
    glance_table,
    performance_table,
    prompt_table,
    quality_table,
    speed_table,
)
from pytest_llmbench.reports.verdict import Front, paid_usd

TITLE = "Language models compared"
HEAT_STEPS = 4


def html_lines(summary: Summary) -> Iterator[str]:
    """Yield the page in pieces. Every text in it is escaped; its script is its own."""
    style, script = _read("style.css"), _read("behaviour.js")
    yield "<!DOCTYPE html>\n"
    yield start("html", lang="en")
    yield element(
        "head",
        start("meta", charset="utf-8"),
        start("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        start("meta", name="viewport", content="width=device-width, initial-scale=1"),
        start("meta", name="color-scheme", content="light dark"),
        start("link", rel="icon", href="data:,"),
        element("title", TITLE),
        f"<style>{style}</style>",
    )
    yield "\n<body>\n"
    yield element("a", "Skip to the results", class_="skip", href="#results")
    yield from _header(summary)
    yield "\n<main>\n"
    for section in (_tables, _verdict, _charts, _heat_map, _comparisons, _details, _results):
        yield from section(summary)
        yield "\n"
    yield f"</main>\n<script>{script}</script>\n</body></html>\n"


def _read(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing may be fetched; of styles and scripts, only these two run."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _header(summary: Summary) -> Iterator[str]:
    environment = summary.run.environment
    facts = (
        f"pytest-llmbench {environment.plugin}",
        f"Python {environment.python}",
        environment.platform,
        f"sandbox: {environment.sandbox or 'not used'}",
    )
    warning = ""
    if environment.sandbox == "none":
        warning = element(
            "p",
            "No sandbox: what the models wrote ran with the rights of the user.",
            class_="warning",
            role="alert",
        )
    yield element(
        "header", element("h1", TITLE), element("p", text(", ".join(facts)), class_="note"), warning
    )


def _tables(summary: Summary) -> Iterator[str]:
    yield _table_section(performance_table(summary))
    yield _table_section(quality_table(summary))


def _table_section(table: Table) -> str:
    name = table.title.lower().replace(" ", "-")
    heads = (
        element("th", text(column.header), scope="col", class_=column.align)
        for column in table.columns
    )
    return element(
        "section",
        element("h2", text(table.title), id=name),
        _scroll(
            element(
                "table",
                element("thead", element("tr", *heads)),
                element("tbody", *_rows(table)),
                aria_labelledby=name,
            ),
            table.title,
        ),
        *(
            element("p", text(f"{mark} {note}".strip()), class_="note")
            for mark, note in table.footnotes
        ),
    )


def _rows(table: Table) -> Iterator[str]:
    for first, *rest in table.rows:
        head = element("th", text(first.text), scope="row", class_="left")
        cells = []
        for column, cell in zip(table.columns[1:], rest, strict=True):
            style = {True: " good", False: " bad", None: ""}[cell.passed]
            mark = element("sup", text(cell.mark)) if cell.mark else ""
            cells.append(element("td", text(cell.text), mark, class_=f"{column.align}{style}"))
        yield element("tr", head, *cells)


def _scroll(content: str, label: str) -> str:
    """A wide thing that scrolls by itself, so that the page does not."""
    return element("div", content, class_="scroll", tabindex=0, role="region", aria_label=label)


def _verdict(summary: Summary) -> Iterator[str]:
    if summary.verdict:
        items = (element("li", text(sentence)) for sentence in summary.verdict)
        yield element("section", element("h2", "Verdict"), element("ul", *items))
    if summary.troubles:
        yield element(
            "section", element("h2", "What went wrong"), element("ul", *_troubles(summary))
        )


def _troubles(summary: Summary) -> Iterator[str]:
    for trouble in summary.troubles:
        model = element("b", text(trouble.model))
        for cause in trouble.causes:
            lost = f"−{show_score(cause.points_lost)} " if cause.points_lost > 0 else ""
            yield element("li", model, text(f": {lost}{cause.code}: {cause.message}"))
        for gap in trouble.gaps:
            yield element("li", model, text(f": {gap.results:,} unscored: {gap.reason}"))


def _charts(summary: Summary) -> Iterator[str]:
    scored = [each for each in summary.scoreboard if each.score is not None]
    times_s = {each.model: each.total_s for each in scored if each.total_s is not None}
    kinds = {label: model.kind for label, model in summary.run.models.items()}
    paid = {each.model: paid_usd(each, kinds) for each in scored}
    costs_usd = {model: usd for model, usd in paid.items() if usd is not None}
    charts = []
    if times_s:
        points = _points(summary, times_s, summary.time_front)
        charts.append(_figure("Score against time", score_against_time(points)))
    if any(costs_usd.values()):
        points = _points(summary, costs_usd, summary.cost_front)
        charts.append(_figure("Score against cost", score_against_cost(points)))
    if charts:
        legend = (
            "Circle: local; square: cloud; diamond: offline. Filled and joined by the line: no "
            "other model is better in both. A vertical bar is the 95% interval of the score."
        )
        yield element(
            "section",
            element("h2", "Score against time and cost"),
            element("div", *charts, class_="charts"),
            element("p", legend, class_="note"),
        )
    yield from _phases(summary)


def _points(summary: Summary, values: Mapping[str, float], front: Front) -> list[Point]:
    models = summary.run.models
    drawn = len(front.measures) > 1
    return [
        Point(
            each,
            models[each.model].kind if each.model in models else "offline",
            values[each.model],
            on_front=drawn and each.model in front.models,
        )
        for each in summary.scoreboard
        if each.model in values
    ]


def _figure(caption: str, chart: str) -> str:
    return element("figure", element("figcaption", text(caption)), chart)


def _phases(summary: Summary) -> Iterator[str]:
    """The table of the times, with a bar for each model."""
    phases = {each.model: each.phases for each in summary.scoreboard if each.phases is not None}
    if not phases:
        return
    longest_s = max(each.total_s for each in phases.values())
    rows = (
        element(
            "tr", element("th", text(model), scope="row"), element("td", phase_bar(each, longest_s))
        )
        for model, each in phases.items()
    )
    keys = (
        element("li", element("i", class_=f"key {word}"), word) for word in PHASE_NAMES.values()
    )
    bars = element("table", element("tbody", *rows), class_="bars", aria_label="Time, as bars")
    yield element("div", bars, element("ul", *keys, class_="keys"), class_="phases")
    yield _table_section(speed_table(summary))


def _heat_map(summary: Summary) -> Iterator[str]:
    heat_map = summary.heat_map
    if not heat_map.rows:
        return
    heads = (
        element("th", element("span", text(model)), scope="col", class_="model")
        for model in heat_map.models
    )
    notes = [f"A row is a {heat_map.kind}. Where there are several answers: passed of all."]
    if heat_map.left_out:
        notes.append(f"{heat_map.left_out:,} rows that are passed more often are not shown.")
    yield element(
        "section",
        element("h2", "Checks and models", id="checks"),
        _scroll(
            element(
                "table",
                element("thead", element("tr", element("td"), *heads)),
                element("tbody", *_heat_rows(heat_map)),
                class_="heat",
                aria_labelledby="checks",
            ),
            "Checks and models",
        ),
        element("p", text(" ".join(notes)), class_="note"),
    )


def _heat_rows(heat_map: HeatMap) -> Iterator[str]:
    one_task = len({name[0] for name, _ in heat_map.rows}) == 1
    for name, tallies in heat_map.rows:
        shown = name[1:] if one_task and len(name) > 1 else name
        head = element("th", text(": ".join(shown)), scope="row", class_="left")
        yield element("tr", head, *map(_heat_cell, tallies))


def _heat_cell(tally: Tally | None) -> str:
    if tally is None:
        return element("td", UNKNOWN)
    step = round(HEAT_STEPS * tally.passed / tally.total)
    figures = {"data_passed": tally.passed, "data_total": tally.total}
    if tally.total > 1:
        shown = text(f"{tally.passed:,}/{tally.total:,}")
    else:
        sign, word = ("✓", "passed") if tally.passed else ("✗", "failed")
        shown = element("span", sign, aria_hidden="true") + element("span", word, class_="sr")
    return element("td", shown, class_=f"h{step}", **figures)


def _comparisons(summary: Summary) -> Iterator[str]:
    if not summary.comparisons:
        return
    heads = ("Model", "Against", "Difference", "95%", "Pairs", "Reading")
    rows = (
        element(
            "tr",
            element("th", text(each.a), scope="row", class_="left"),
            element("td", text(each.b)),
            element("td", text(show_points(each.difference)), class_="right"),
            element("td", text(_interval(each.ci)), class_="right"),
            element("td", text(f"{each.pairs:,}"), class_="right"),
            element("td", text(each.text)),
        )
        for each in summary.comparisons
    )
    table = element(
        "table",
        element("thead", element("tr", *(element("th", head, scope="col") for head in heads))),
        element("tbody", *rows),
        aria_label="Models compared in pairs",
    )
    yield element(
        "section",
        element("h2", "In pairs"),
        element(
            "details",
            element("summary", text(f"{len(summary.comparisons):,} pairs")),
            _scroll(table, "Pairs"),
        ),
    )


def _interval(ci: tuple[float, float] | None) -> str:
    return UNKNOWN if ci is None else f"{show_points(ci[0])} to {show_points(ci[1])}"


def _details(summary: Summary) -> Iterator[str]:
    prompts = prompt_table(summary)
    if prompts is not None:
        yield _table_section(prompts)
    if any(each.code is not None for each in summary.scoreboard):
        yield _table_section(code_table(summary))
    yield _table_section(glance_table(summary))


def _results(summary: Summary) -> Iterator[str]:
    results = summary.run.results
    rank = {each.model: position for position, each in enumerate(summary.scoreboard)}
    chosen = choose_parts(results)
    anchors = {key: f"prompt-{number}" for number, key in enumerate(_prompts(summary))}
    yield element("h2", "Results", id="results")
    if len(chosen) < len(results):
        note = f"{len(chosen):,} of {len(results):,} results are shown whole, the others as a line."
        yield element("p", note, class_="note")
    yield _controls(summary)
    for number in sorted(
        range(len(results)), key=lambda each: (rank[results[each].model], results[each].task)
    ):
        result = results[number]
        anchor = anchors.get((result.task, result.prompt))
        yield (part(number, result, anchor) if number in chosen else line(result)) + "\n"
    yield from _prompt_section(summary, anchors)


def _controls(summary: Summary) -> str:
    """What needs the page's own script; hidden without it."""
    models = (element("option", text(each.model), value=each.model) for each in summary.scoreboard)
    every = element("option", "all models", value="")
    return element(
        "div",
        element("label", "Show ", element("select", every, *models, id="filter-model")),
        element(
            "label", start("input", type="checkbox", id="filter-lost"), " only with points lost"
        ),
        element(
            "details",
            element("summary", "Two answers side by side"),
            element("label", "Left ", element("select", id="left")),
            element("label", "Right ", element("select", id="right")),
            element(
                "div",
                element("div", id="left-code"),
                element("div", id="right-code"),
                class_="pair",
            ),
            id="side-by-side",
        ),
        id="controls",
        hidden="hidden",
    )


def _prompts(summary: Summary) -> dict[tuple[str, str], str]:
    return {
        (result.task, result.prompt): result.evidence.prompt
        for result in summary.run.results
        if result.evidence.prompt
    }


def _prompt_section(summary: Summary, anchors: Mapping[tuple[str, str], str]) -> Iterator[str]:
    if not anchors:
        return
    yield element("h2", "Prompts")
    for (task, prompt), written in _prompts(summary).items():
        name = task if prompt == "default" else f"{task}: {prompt}"
        block = element(
            "pre", text(written), tabindex=0, role="region", aria_label=f"prompt of {name}"
        )
        yield (
            element("details", element("summary", text(name)), block, id=anchors[task, prompt])
            + "\n"
        )
