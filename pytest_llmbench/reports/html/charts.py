"""Charts as SVG. Every mark carries its data, a name for screen readers, and its place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_llmbench.reports.figures import show_cost, show_score, show_seconds
from pytest_llmbench.reports.html.markup import element, start, text
from pytest_llmbench.reports.phases import Phases
from pytest_llmbench.reports.standings import Standing
from pytest_llmbench.safe_text import cut_middle, display_width

WIDTH, HEIGHT = 390, 310
LEFT, RIGHT, TOP, BOTTOM = 40, 364, 28, 272
LABEL_CHARS = 22
LABEL_HEIGHT = 13
CHAR_WIDTH = 7.0
MARK = 7.0
"""From the middle of a mark to its edge, about."""
MAX_LABELS = 14
FULL_SCORE = 100.0
TICKS = 5
PHASE_NAMES = {"load_s": "load", "wait_s": "wait", "thinking_s": "thinking", "answer_s": "answer"}


@dataclass(frozen=True, slots=True)
class Point:
    """One model in a chart of score against something."""

    standing: Standing
    kind: str
    value: float
    on_front: bool


@dataclass(frozen=True, slots=True)
class Box:
    """A piece of the drawing."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal axis, from 0."""

    name: str
    greatest: float
    step: float
    show: Callable[[float], str]

    def place(self, value: float) -> float:
        """Where a value stands."""
        return LEFT + (RIGHT - LEFT) * value / self.greatest


def score_against_time(points: Sequence[Point]) -> str:
    """A scatter chart of mean score against median total."""
    return _scatter("Score against time", "median total, s", points, show_seconds)


def score_against_cost(points: Sequence[Point]) -> str:
    """A scatter chart of mean score against median cost."""
    return _scatter("Score against cost", "median cost of an answer, $", points, show_cost)


def phase_bar(phases: Phases, longest_s: float) -> str:
    """One model's time as a bar of its parts, on a scale that ends at the longest total."""
    marks, at = [], 0.0
    for name, word in PHASE_NAMES.items():
        seconds = getattr(phases, name)
        if not seconds:
            continue
        width = 100 * seconds / longest_s
        told = f"{word}: {show_seconds(seconds)}"
        title = element("title", text(told))
        marks.append(
            element(
                "rect",
                title,
                class_=f"mark {word}",
                x=f"{at:.3f}",
                y=0,
                width=f"{width:.3f}",
                height=10,
                data_seconds=seconds,
            )
        )
        at += width
    parts = [
        f"{word} {show_seconds(getattr(phases, name))}"
        for name, word in PHASE_NAMES.items()
        if getattr(phases, name)
    ]
    return element(
        "svg",
        *marks,
        class_="bar",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        role="img",
        aria_label=", ".join(parts),
    )


def timeline(points: Sequence[tuple[float, int, int]]) -> str:
    """How the text of one stream grew: thinking and visible characters over seconds."""
    last_s = points[-1][0]
    most = max(max(thinking, visible) for _, thinking, visible in points)
    if last_s <= 0 or most <= 0:
        return ""
    told = f"{points[-1][2]:,} visible and {points[-1][1]:,} thinking characters"
    lines = [
        start(
            "polyline",
            class_=style,
            points=" ".join(
                f"{300 * point[0] / last_s:.1f},{60 - 60 * point[channel] / most:.1f}"
                for point in points
            ),
        )
        + "</polyline>"
        for channel, style in ((1, "thinking"), (2, "answer"))
        if points[-1][channel]
    ]
    return element(
        "svg",
        *lines,
        class_="timeline",
        viewBox="-1 -1 302 62",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"The stream over {show_seconds(last_s)}: {told}",
    )


def _scatter(title: str, name: str, points: Sequence[Point], show: Callable[[float], str]) -> str:
    axis = _choose_axis(name, max((point.value for point in points), default=0.0), show)
    front = sorted((each for each in points if each.on_front), key=lambda each: each.value)
    line = " ".join(_steps(front, axis))
    return element(
        "svg",
        element("title", text(f"{title}; the front is drawn as a line")),
        *_grid(axis),
        start("polyline", class_="front", points=line) + "</polyline>" if len(front) > 1 else "",
        *(_mark(point, axis) for point in points),
        *_labels(points, axis),
        class_="scatter",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="group",
        aria_label=title,
    )


def _steps(front: Sequence[Point], axis: Axis) -> Iterator[str]:
    """The front as a line: what is the best score for at most this much."""
    height = _height(front[0]) if front else 0.0
    for point in front:
        x = f"{axis.place(point.value):.2f}"
        yield f"{x},{height:.2f}"
        height = _height(point)
        yield f"{x},{height:.2f}"


def _choose_axis(name: str, greatest: float, show: Callable[[float], str]) -> Axis:
    """Round steps, and an end that lies a little beyond the greatest value."""
    rough = (greatest or 1.0) * 1.05 / TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(
        factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough * 0.999
    )
    return Axis(name, step * TICKS, step, show)


def _grid(axis: Axis) -> list[str]:
    parts = []
    for score in (0, 25, 50, 75, 100):
        y = BOTTOM - (BOTTOM - TOP) * score / FULL_SCORE
        parts.append(start("line", class_="grid", x1=LEFT, x2=RIGHT, y1=y, y2=y) + "</line>")
        parts.append(
            element("text", text(score), class_="tick", x=LEFT - 6, y=y + 4, text_anchor="end")
        )
    for number in range(TICKS + 1):
        value = number * axis.step
        x = f"{axis.place(value):.2f}"
        shown = text(f"{value:g}")
        parts.append(
            element("text", shown, class_="tick", x=x, y=BOTTOM + 15, text_anchor="middle")
        )
    parts.append(
        element("text", text(axis.name), class_="tick", x=RIGHT, y=BOTTOM + 32, text_anchor="end")
    )
    parts.append(element("text", "score", class_="tick", x=2, y=12))
    return parts


def _height(point: Point) -> float:
    return BOTTOM - (BOTTOM - TOP) * (point.standing.score or 0.0) / FULL_SCORE


def _mark(point: Point, axis: Axis) -> str:
    standing = point.standing
    x, y = axis.place(point.value), _height(point)
    told = f"{standing.model}: score {show_score(standing.score)}, {axis.show(point.value)}"
    if point.on_front:
        told += ", on the front"
    shape = _shape(point.kind, x, y)
    interval = ""
    if standing.score_ci is not None:
        low, high = (BOTTOM - (BOTTOM - TOP) * end / FULL_SCORE for end in standing.score_ci)
        interval = start("line", class_="interval", x1=x, x2=x, y1=low, y2=high) + "</line>"
    return element(
        "g",
        element("title", text(told)),
        interval,
        shape,
        class_="mark front" if point.on_front else "mark",
        tabindex=0,
        role="img",
        aria_label=told,
        data_model=standing.model,
        data_score=standing.score,
        data_value=point.value,
    )


def _shape(kind: str, x: float, y: float) -> str:
    if kind == "cloud":
        return start("rect", x=f"{x - 5:.2f}", y=f"{y - 5:.2f}", width=10, height=10) + "</rect>"
    if kind == "local":
        return start("circle", cx=f"{x:.2f}", cy=f"{y:.2f}", r=5.5) + "</circle>"
    corners = f"{x:.2f},{y - 7:.2f} {x + 7:.2f},{y:.2f} {x:.2f},{y + 7:.2f} {x - 7:.2f},{y:.2f}"
    return start("polygon", points=corners) + "</polygon>"


def _labels(points: Sequence[Point], axis: Axis) -> list[str]:
    """Names beside the marks, each where it covers no mark and no other name."""
    named = (
        list(points) if len(points) <= MAX_LABELS else [each for each in points if each.on_front]
    )
    places = [(axis.place(each.value), _height(each)) for each in points]
    taken = [Box(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in places]
    labels = []
    for point in named:
        name = cut_middle(point.standing.model, LABEL_CHARS)
        boxes = _candidates(
            axis.place(point.value), _height(point), display_width(name) * CHAR_WIDTH
        )
        box = next((each for each in boxes if _is_free(each, taken)), None)
        if box is None:
            continue
        taken.append(box)
        labels.append(
            element(
                "text",
                text(name),
                class_="label",
                x=f"{box.left:.2f}",
                y=f"{box.bottom - 3:.2f}",
                aria_hidden="true",
            )
        )
    return labels


def _candidates(x: float, y: float, width: float) -> Iterator[Box]:
    """Where a name could stand: right, left, then rows below and above the mark."""
    half = LABEL_HEIGHT / 2
    yield Box(x + MARK + 2, y - half, x + MARK + 2 + width, y + half)
    yield Box(x - MARK - 2 - width, y - half, x - MARK - 2, y + half)
    for row in (1, -1, 2, -2, 3, -3):
        middle = y + row * (LABEL_HEIGHT + 2)
        for left in (x - width / 2, x - width, x):
            yield Box(left, middle - half, left + width, middle + half)


def _is_free(box: Box, taken: Iterable[Box]) -> bool:
    inside = box.left >= LEFT and box.right <= WIDTH and box.top >= 0 and box.bottom <= BOTTOM
    return inside and not any(
        box.left < other.right
        and other.left < box.right
        and box.top < other.bottom
        and other.top < box.bottom
        for other in taken
    )
