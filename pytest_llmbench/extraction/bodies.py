"""Where the body of a fenced block ends, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pytest_llmbench.extraction.answer_lines import AnswerLines
from pytest_llmbench.extraction.blocks import Block
from pytest_llmbench.extraction.fences import Fence, is_quote, strip_indent, strip_quote
from pytest_llmbench.extraction.languages import (
    MARKDOWN,
    NAMED_ON_A_LINE,
    PYTHON,
    PYTHON_SESSION,
    TEXT,
    language_of_path,
    language_of_tag,
)
from pytest_llmbench.extraction.names import Info, name_from_line, read_info
from pytest_llmbench.extraction.python_source import (
    PythonReader,
    lines_in_strings,
    looks_like_code,
)
from pytest_llmbench.extraction.text import join_lines


@dataclass(frozen=True, slots=True)
class _Opener:
    """The opener of the block that is being read."""

    at: int
    fence: Fence
    info: Info
    first: str | None
    """Code on the opener's own line."""


@dataclass(frozen=True, slots=True)
class _End:
    """Where a block's body ends."""

    line: int
    """The number of the first line that is not wholly part of the body."""
    next: int
    """Where the text goes on."""
    closed: bool
    rest: str | None = None
    """The part of that line that still belongs to the body."""


# How many characters are searched for strings around fences, all blocks together.
_MAX_SEARCHED_CHARS = 400_000
_MAX_GLUED_CLOSERS = 5


class BodyReader:
    """Reads blocks from their openers on."""

    def __init__(self, lines: AnswerLines, reader: PythonReader) -> None:
        self._lines = lines
        self._reader = reader
        self._chars_left = _MAX_SEARCHED_CHARS

    def read_block(self, at: int, fence: Fence, heading: str | None = None) -> Block:
        """The block that the fence at a line opens."""
        info = read_info(fence.info)
        opener = _Opener(at, fence, info, _code_on_the_line(fence, info))
        language = info.language
        if info.name is not None and language is None:
            language = language_of_path(info.name)
        end = self._narrow(opener, self._find_end(opener, language))
        body = self._body(opener, end)
        if info.name is None:
            body, language = _drop_language_line(body, language)
        return Block(
            text=join_lines(body),
            start=at,
            end=end.next,
            closed=end.closed,
            language=language,
            name=info.name,
            heading=heading,
            indented=bool(fence.indent),
        )

    def _find_end(self, opener: _Opener, language: str | None) -> _End:
        is_markdown_file = self._is_markdown_file(opener)
        if language in (MARKDOWN, TEXT) or (language is None and is_markdown_file):
            return self._end_of_markdown(opener, is_file=is_markdown_file)
        if language in (PYTHON, PYTHON_SESSION, None):
            return self._end_of_python(opener)
        end = self._plain_end(opener)
        return next(self._glued_ends(opener, end.line), end)

    def _body(self, opener: _Opener, end: _End) -> list[str]:
        lines = self._lines[opener.at + 1 : end.line]
        if end.rest is not None:
            lines.append(end.rest)
        if opener.fence.quoted:
            lines = [strip_quote(line) for line in lines]
        lines = strip_indent(lines, opener.fence.indent)
        return lines if opener.first is None else [opener.first, *lines]

    def _narrow(self, opener: _Opener, end: _End) -> _End:
        """The end, unless the block's quote, or what heads the next block, comes before it."""
        start = opener.at + 1
        if opener.fence.quoted and start < end.line and is_quote(self._lines[start]):
            for number in range(start, end.line):
                if not is_quote(self._lines[number]):
                    return _End(number, number, closed=True)
        if end.line == end.next < len(self._lines):
            number = end.line - 1
            while number > start and not self._lines[number].strip():
                number -= 1
            if number >= start and name_from_line(self._lines[number]) is not None:
                return _End(number, number, closed=False)
        return end

    # Python

    def _end_of_python(self, opener: _Opener) -> _End:
        """The first closer that makes the body parse; else the first."""
        below = self._lines.fences.get(opener.at + 1)
        if opener.first is None and below is not None and below.mark == opener.fence.mark:
            return self._end_at(opener.at + 1)  # nothing at all parses
        outside, is_sure = self._first_outside_strings(opener)
        far = self._text_end() if outside is None else self._end_at(outside)
        for end in (far, *self._glued_ends(opener, far.line), self._plain_end(opener)):
            if self._parses(opener, end):
                return end
        return far if is_sure else self._plain_end(opener)

    def _parses(self, opener: _Opener, end: _End) -> bool:
        if self._reader.is_spent:
            return False
        body, _ = _drop_language_line(self._body(opener, end), opener.info.language)
        return self._reader.read(join_lines(body)).parses

    def _first_outside_strings(self, opener: _Opener) -> tuple[int | None, bool]:
        """The first fence that is not inside a triple-quoted string, and whether it is one.

        Where the code is broken, so may be the reading of its strings. It is trusted as long
        as the fences inside strings come in pairs, as those of an example do.
        """
        inside: list[Fence] = []
        last_in_string = False
        for number, in_string in self._lines_with_strings(opener):
            last_in_string = in_string
            fence = self._lines.fences.get(number)
            if fence is None or fence.mark != opener.fence.mark:
                continue
            if not in_string:
                return number, _come_in_pairs(inside)
            inside.append(fence)
        return None, not last_in_string and _come_in_pairs(inside)

    def _lines_with_strings(self, opener: _Opener) -> Iterator[tuple[int, bool]]:
        if self._chars_left <= 0:
            return
        start = opener.at + 1
        lines = (self._lines[number] for number in range(start, len(self._lines)))
        if opener.fence.quoted:
            lines = (strip_quote(line) for line in lines)
        for number, in_string in enumerate(lines_in_strings(lines), start):
            self._chars_left -= len(self._lines[number]) + 1
            yield number, in_string
            if self._chars_left < 0:
                return

    def _glued_ends(self, opener: _Opener, stop: int) -> Iterator[_End]:
        """Closers at the end of a line of code."""
        marked = self._lines.marked_between(opener.at, stop)
        for number in islice(marked, _MAX_GLUED_CLOSERS):
            rest, _, chat = self._lines[number].partition("```")
            if "```" not in chat:
                yield _End(number, number + 1, closed=True, rest=rest)

    # Other languages

    def _plain_end(self, opener: _Opener) -> _End:
        """The first closer, or the next opener where that comes before."""
        for number in self._lines.fences_after(opener.at):
            fence = self._lines.fences[number]
            if fence.mark == opener.fence.mark and fence.length >= opener.fence.length:
                return self._end_at(number)
        return next(self._glued_ends(opener, len(self._lines)), self._text_end())

    def _end_at(self, number: int) -> _End:
        """The end that a fence line makes: a closer, or an opener that no closer precedes."""
        if self._lines.fences[number].opens_tagged:
            return _End(number, number, closed=False)
        return _End(number, number + 1, closed=True)

    def _text_end(self) -> _End:
        return _End(len(self._lines), len(self._lines), closed=False)

    # Markdown

    def _is_markdown_file(self, opener: _Opener) -> bool:
        name = opener.info.name or name_from_line(self._lines.nearest_above(opener.at))
        return name is not None and language_of_path(name) in (MARKDOWN, "rst")

    def _end_of_markdown(self, opener: _Opener, *, is_file: bool) -> _End:
        """The closer that leaves the tagged fences inside in pairs.

        Inside a file there may be fences without a tag as well: then it is the last one
        before the next file begins.
        """
        depth = 0
        last: int | None = None
        for number in self._lines.fences_after(opener.at):
            fence = self._lines.fences[number]
            if fence.mark != opener.fence.mark or fence.length < opener.fence.length:
                continue
            if last is not None and depth == 0 and self._opens_a_file(number):
                break
            if not fence.is_bare:
                depth += 1
            elif depth:
                depth -= 1
            else:
                last = number
                if not is_file:
                    break
        return self._plain_end(opener) if last is None else self._end_at(last)

    def _opens_a_file(self, at: int) -> bool:
        if read_info(self._lines.fences[at].info).name is not None:
            return True
        return name_from_line(self._lines.nearest_above(at)) is not None


def _code_on_the_line(fence: Fence, info: Info) -> str | None:
    """Code that follows an opener's marks, or its tag."""
    text = fence.info if info.language is None and info.name is None else info.code
    return text if text and looks_like_code(text) else None


def _come_in_pairs(fences: list[Fence]) -> bool:
    return len(fences) % 2 == 0 and all(fence.is_bare for fence in fences[1::2])


def _drop_language_line(body: list[str], language: str | None) -> tuple[list[str], str | None]:
    """The body without a first line that is only a language's name; and the language."""
    index = next((number for number, line in enumerate(body) if line.strip()), None)
    if index is None or index + 1 == len(body):
        return body, language
    word = body[index].strip().lower().removesuffix(":").strip("[]")
    if word not in NAMED_ON_A_LINE:
        return body, language
    named = language_of_tag(word)
    if language is not None and named != language:
        return body, language
    return body[:index] + body[index + 1 :], named
