"""What a todo program's list says, whatever its layout: which todos, their ids, what changed.

Nothing is assumed of the layout but that a todo's title, or the beginning of it, stands on a
line. All else is found by comparison: an id is what differs from todo to todo in the same place,
and a mark is what changed in one todo's row, and in no other's, between two lists.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TypeAlias

Marks: TypeAlias = Counter[str]

SHORTEST_CUT = 8
"""A list may cut a title; what is left must be at least this long to tell which it is."""

MOST_CHARS = 100_000
"""No list of a few todos is longer; of a flood only the beginning is read."""

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_OTHER_ESCAPES = re.compile(
    r"\x1b(?:\[[0-9;?]*[A-Za-ln-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9])"
)
_STROKE = "\u0336"
_INVISIBLE = dict.fromkeys(map(ord, "\ufe0f\u20e3\u200b\u200d\r"))
_BOX = re.compile(r"[\u2500-\u257f|]")
_RUN = re.compile(r"([^\w\s])\1+")

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:\.\d+)?\s?(?:[ap]m\b)?(?:z\b|[+-]\d\d:?\d\d\b)?"
_TIME = re.compile(
    rf"""(?ix)
    (?:
      (?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s)?
      (?: \d{{4}}[-/.]\d\d?[-/.]\d\d? | \d\d?[-/.]\d\d?[-/.]\d\d(?:\d\d)?\b
        | {_MONTH}\s\d\d?(?:\s{_CLOCK})?(?:,?\s\d{{4}})? | \d\d?\s{_MONTH}(?:,?\s\d{{4}})? )
      (?:(?:t|,?\s(?:at\s)?){_CLOCK})?
    | \b{_CLOCK}
    | \b\d{{10}}\.\d+\b
    | \b\d+\s?(?:s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\s(?:ago|old)\b
    | \bjust\snow\b
    )"""
)
_TIME_MARK = "\N{WATCH}"
_TITLE_MARK = "\0"

_ID = r"(?:[0-9a-f]{8}-[0-9a-f-]{4,27}|[0-9a-f]*\d[0-9a-f]*|[0-9a-f]{4,}|[a-z]{1,4}-?\d+)"
_ID_FORMS = (
    re.compile(
        rf"(?i)\b(?:id|no|nr|num|number|index|uuid|key)\b[\"']?\.?\s*[:=#]?\s*[\"'#(\[]?({_ID})\b"
    ),
    re.compile(rf"(?i)#\s?({_ID})\b"),
    re.compile(rf"(?i)[\[(<{{]\s*#?({_ID})\s*[\])>}}]"),
    re.compile(rf"(?i)(?:^|\s)({_ID})[.):](?=\s|$)"),
)
_BARE_ID = re.compile(rf"(?i)(?<![\w.-])({_ID})(?![\w-])")
_WORD = re.compile(r"(?<![\w-])\w[\w-]+(?![\w-])")
_PLACES = (0, 1, 2, 3, -1, -2)


@dataclass(frozen=True, slots=True)
class Entry:
    """One todo as a list shows it."""

    title: str
    ids: tuple[str, ...]
    """What may be its id, the likeliest first."""
    views: Mapping[str, Marks]
    """What stands beside the title, seen in three ways: on its own `line`, in the `block` of
    lines about it, and in the heading of its `section`. Ids and dates are taken out."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list's output, read for some titles."""

    output: str
    entries: Mapping[str, Entry]
    """By title; a title that is not shown is missing."""

    def shows(self, title: str) -> bool:
        """Whether the title, or a long enough beginning of it, is in the list."""
        return title in self.entries


def read_listing(output: str, titles: Sequence[str]) -> Listing:
    """Find `titles` in the output of a program's list. No title may begin like another."""
    lines = list(_clean_lines(output[:MOST_CHARS]))
    found = {title: _find_lines(lines, title) for title in titles}
    shown = {title: at for title, at in found.items() if at}
    blocks = _find_blocks(lines, shown)
    own = {title: _rest(lines, at, title) for title, at in shown.items()}
    about = {title: _rest(lines, blocks[title], title) for title in shown}
    ids = _read_ids(own) or _read_ids(about)
    sections = _find_sections(lines, shown, blocks)
    entries = {
        title: Entry(
            title,
            ids.get(title, ()),
            {
                "line": _marks(own[title], ids.get(title, ())),
                "block": _marks(about[title], ids.get(title, ())),
                "section": sections[title],
            },
        )
        for title in shown
    }
    return Listing(output, entries)


def find_marked(before: Listing, after: Listing) -> frozenset[str]:
    """The titles whose rows changed between two lists as no other todo's row did."""
    common = [title for title in before.entries if title in after.entries]
    marked = set()
    for view in ("line", "block", "section"):
        changes = {
            title: _change(before.entries[title].views[view], after.entries[title].views[view])
            for title in common
        }
        for title in common:
            others = {change for other in common if other != title for change in changes[other]}
            if changes[title] - others:
                marked.add(title)
        if marked:
            break
    return frozenset(marked)


def _change(before: Marks, after: Marks) -> set[tuple[str, str]]:
    gained = {("gained", mark) for mark in after - before}
    lost = {("lost", mark) for mark in before - after}
    return gained | lost


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    """Without colours and invisible characters, blanks collapsed."""
    colours: tuple[str, ...]
    indent: int

    @property
    def has_words(self) -> bool:
        return re.search(r"[^\W_]", self.text) is not None


def _clean_lines(output: str) -> Iterator[_Line]:
    # A JSON list or a printed list of tuples may hold all todos on one line.
    unfolded = re.sub(r"([)\]}])\s*,\s*(?=[(\[{])", r"\1,\n", output)
    for line in unfolded.split("\n"):
        colours = [f"colour {code}" for code in _SGR.findall(line)]
        if _STROKE in line:
            colours.append("struck out")
        text = _OTHER_ESCAPES.sub("", _SGR.sub("", line)).translate(_INVISIBLE)
        text = text.replace(_STROKE, "").expandtabs()
        indent = len(text) - len(text.lstrip())
        yield _Line(" ".join(text.split()), tuple(colours), indent)


def _find_lines(lines: Sequence[_Line], title: str) -> list[int]:
    return [
        index
        for index, line in enumerate(lines)
        if _find_title(line.text, title) or _is_wrapped(lines, index, title)
    ]


def _find_title(text: str, title: str) -> slice | None:
    """Where the title or the beginning of it stands, in whatever case."""
    found = re.search(re.escape(title[:SHORTEST_CUT]), text, re.IGNORECASE)
    if not found:
        return None
    rest = text[found.end() :]
    pairs = zip(rest.lower(), title[SHORTEST_CUT:].lower(), strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    is_whole = SHORTEST_CUT + same == len(title)
    goes_on = rest[same : same + 1].isalnum() and title[SHORTEST_CUT + same - 1] != " "
    return None if goes_on and not is_whole else slice(found.start(), found.end() + same)


def _find_word(text: str, word: str) -> slice | None:
    found = re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
    return slice(*found.span()) if found else None


def _is_wrapped(lines: Sequence[_Line], index: int, title: str) -> bool:
    """Whether the title's first word ends its cell here and the second goes on below."""
    first, second, *_ = title.split()
    following = " ".join(line.text for line in lines[index + 1 : index + 3])
    return bool(_find_word(lines[index].text, first) and _find_word(following, second))


def _rest(lines: Sequence[_Line], indexes: Sequence[int], title: str) -> tuple[str, list[str]]:
    """The text on these lines without the title, dates replaced, and the colours on them."""
    texts = []
    for index in indexes:
        text = lines[index].text
        place = _find_title(text, title) or _find_word(text, title.split(maxsplit=1)[0])
        if place:
            text = f"{text[: place.start]} {_TITLE_MARK} {text[place.stop :]}"
        texts.append(_TIME.sub(f" {_TIME_MARK} ", text))
    return "\n".join(texts), [colour for index in indexes for colour in lines[index].colours]


def _marks(rest: tuple[str, list[str]], ids: Sequence[str]) -> Marks:
    text, colours = rest
    if ids:
        text = re.sub(rf"(?i)(?<![0-9a-z]){re.escape(ids[0])}(?![0-9a-z])", " ", text, count=1)
    text = _RUN.sub(r"\1", _BOX.sub(" ", text))
    return Counter([*re.findall(r"\w+|[^\w\s]", text.casefold()), *colours])


def _read_ids(rows: Mapping[str, tuple[str, list[str]]]) -> dict[str, tuple[str, ...]]:
    """The ids of each row: what stands in the same place in all rows and differs in each."""
    found: dict[str, list[str]] = {title: [] for title in rows}
    for candidates in _place_by_place([text for text, _ in rows.values()]):
        if len(set(candidates)) < len(rows):
            continue
        for title, candidate in zip(rows, candidates, strict=True):
            if candidate not in found[title]:
                found[title].append(candidate)
    return {title: tuple(ids) for title, ids in found.items() if ids}


def _place_by_place(texts: Sequence[str]) -> Iterator[list[str]]:
    for form in _ID_FORMS:
        matches = [form.search(text) for text in texts]
        if all(matches):
            yield [match[1] for match in matches if match]
    for form in (_BARE_ID, _WORD):
        found = [form.findall(text) for text in texts]
        for place in _PLACES:
            needed = place + 1 if place >= 0 else -place
            if all(len(tokens) >= needed for tokens in found):
                yield [tokens[place] for tokens in found]


def _find_blocks(
    lines: Sequence[_Line], shown: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """The lines that belong to each todo: a paragraph of its own, else the indented details."""
    owners = {index: title for title, indexes in shown.items() for index in indexes}
    paragraphs = _split_paragraphs(lines)
    titles_in = [{owners[index] for index in each if index in owners} for each in paragraphs]
    if all(len(titles) <= 1 for titles in titles_in):
        blocks: dict[str, list[int]] = {title: [] for title in shown}
        for titles, paragraph in zip(titles_in, paragraphs, strict=True):
            for title in titles:
                blocks[title] += paragraph
        return blocks
    return {
        title: [*indexes, *_find_details(lines, indexes[-1], owners)]
        for title, indexes in shown.items()
    }


def _split_paragraphs(lines: Sequence[_Line]) -> list[list[int]]:
    paragraphs: list[list[int]] = [[]]
    for index, line in enumerate(lines):
        if line.has_words:
            paragraphs[-1].append(index)
        elif paragraphs[-1]:
            paragraphs.append([])
    return paragraphs


def _find_details(lines: Sequence[_Line], index: int, owners: Mapping[int, str]) -> list[int]:
    details = []
    for below in range(index + 1, len(lines)):
        line = lines[below]
        if below in owners or not line.has_words or line.indent <= lines[index].indent:
            break
        details.append(below)
    return details


def _find_sections(
    lines: Sequence[_Line],
    shown: Mapping[str, Sequence[int]],
    blocks: Mapping[str, Sequence[int]],
) -> dict[str, Marks]:
    """The words of the headings that stand above each todo, since the todo before it."""
    first_lines = {indexes[0] for indexes in shown.values()}
    details = {
        index for title, block in blocks.items() for index in block if index > shown[title][0]
    }
    sections: dict[str, Marks] = {}
    heading: list[str] = []
    under: list[str] = []
    for index, line in enumerate(lines):
        if index in first_lines:
            under, heading = heading or under, []
            sections |= {
                title: Counter(under) for title, indexes in shown.items() if indexes[0] == index
            }
        elif index not in details:
            heading += re.findall(r"[^\W\d_]{2,}", line.text.casefold())
    return sections
