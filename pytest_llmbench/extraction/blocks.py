"""The blocks of code in an answer, and where each begins and ends."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_llmbench.extraction.fences import Fence, read_fence, strip_indent, strip_quote
from pytest_llmbench.extraction.languages import (
    MARKDOWN,
    PYTHON,
    PYTHON_SESSION,
    TEXT,
    language_of_path,
    language_of_tag,
)
from pytest_llmbench.extraction.names import (
    name_from_line,
    name_from_section,
    read_file_tag,
    read_info,
)
from pytest_llmbench.extraction.python_source import (
    PythonReader,
    lines_in_strings,
    looks_like_code,
    looks_like_definition,
)
from pytest_llmbench.extraction.text import end_with_newline
from pytest_llmbench.extraction.turns import find_end


@dataclass(frozen=True, slots=True)
class Block:
    """One block of an answer."""

    text: str
    """The body, verbatim, with one line feed at its end."""
    start: int
    """The number of its first line, the opener."""
    end: int
    """The number of the first line behind it."""
    closed: bool = True
    language: str | None = None
    """None when it has no tag, or one that means no language."""
    name: str | None = None
    """The name that its opener, or a tag or line around it, gives it."""
    heading: str | None = None
    """What stands before the opener on its own line."""
    indented: bool = False
    """The opener has an indent, or stands in a list."""


@dataclass(frozen=True, slots=True)
class Document:
    """An answer taken apart."""

    lines: list[str]
    """All lines, up to where the answer ends."""
    blocks: list[Block]
    """In the order of the text; code without a fence, where it counts, comes last."""
    unfenced_seems_cut: bool = False
    """There is code without a fence, and it ends too early."""

    def prose_between(self, start: int, end: int) -> str:
        """The text outside all blocks between two lines."""
        prose: list[str] = []
        index = bisect_right(self.blocks, start, key=lambda block: block.end)
        while start < end:
            stop = self.blocks[index].start if index < len(self.blocks) else end
            prose.extend(self.lines[start : min(stop, end)])
            start = self.blocks[index].end if index < len(self.blocks) else end
            index += 1
        return "\n".join(prose)


def find_blocks(text: str, reader: PythonReader) -> Document:
    """Take an answer apart, line by line."""
    return _Scanner(text.split("\n"), reader).run()


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


# How far the search for strings around fences may go, all blocks together.
_MAX_SEARCHED_CHARS = 400_000
_MAX_HOPS = 200_000
_MAX_GLUED_CLOSERS = 5


class _Scanner:
    def __init__(self, lines: list[str], reader: PythonReader) -> None:
        self._lines = lines
        self._reader = reader
        self._blocks: list[Block] = []
        self._fences = {
            number: fence
            for number, line in enumerate(lines)
            if ("```" in line or "~~~" in line) and (fence := read_fence(line))
        }
        self._fence_lines = list(self._fences)
        self._chars_left = _MAX_SEARCHED_CHARS
        self._hops_left = _MAX_HOPS
        self._bare_after = _count_bare_after(list(self._fences.values()))
        self._last_text = max((n for n, line in enumerate(lines) if line.strip()), default=-1)
        self._seen_text = False
        self._seen_code = False

    def run(self) -> Document:
        at = 0
        while at < len(self._lines):
            fence = self._fences.get(at)
            if fence is None:
                at = self._read_prose_line(at)
            elif self._is_stray(at, fence):
                at += 1
            elif before := self._unopened_before(at, fence):
                self._blocks.append(before)
                at += 1
            else:
                at = self._add(self._read_block(at, fence))
            if fence and fence.ends_answer and at < len(self._lines):
                del self._lines[at:]
        return Document(self._lines, self._blocks)

    def _add(self, block: Block) -> int:
        self._blocks.append(block)
        closer = self._fences.get(block.end - 1)
        if closer and closer.ends_answer:
            del self._lines[block.end :]
        return block.end

    # Lines outside all blocks

    def _read_prose_line(self, at: int) -> int:
        line = self._lines[at]
        block = None
        if "```" in line:
            block = self._glued_block(at)
        elif tag := read_file_tag(line):
            block = self._tagged_file(at, tag.tag, tag.name, line[tag.end :])
        elif name := name_from_section(line):
            block = self._section_file(at, name)
        if block is not None:
            return self._add(block)
        self._seen_code = self._seen_code or looks_like_definition(line)
        end = find_end(line, after_code=self._seen_code or bool(self._blocks))
        self._seen_text = self._seen_text or bool(line[:end].strip())
        if end is not None and (self._seen_text or self._blocks):
            self._lines[at:] = [line[:end]]
        return at + 1

    def _glued_block(self, at: int) -> Block | None:
        """A block whose opener is glued to prose, or that stands whole on one line."""
        line = self._lines[at]
        before, _, rest = line.partition("```")
        if "```" in rest:
            body = rest.partition("```")[0].strip()
            info = read_info(body)
            text = info.code if info.language == PYTHON and info.code else body
            if rest.count("```") == 1 and self._reader.read(text).defined:
                return Block(end_with_newline(text), at, at + 1, language=PYTHON, heading=before)
            return None
        fence = Fence("", False, False, "`", 3, rest.strip())
        if not (fence.is_bare or read_info(fence.info).language):
            return None
        block = self._read_block(at, fence, heading=before)
        if fence.is_bare and not (block.closed and self._reader.read(block.text).is_program):
            return None
        return block

    def _tagged_file(self, at: int, tag: str, name: str, rest: str) -> Block | None:
        """The text between `<file path="…">` and `</file>`, when that is no fenced block."""
        closing = f"</{tag}>"
        body = [rest] if rest.strip() else []
        for number in range(at + 1, len(self._lines)):
            line = self._lines[number]
            if number in self._fences and not any(map(str.strip, body)):
                return None
            if line.rstrip().endswith(closing):
                body.extend([last] if (last := line.rstrip().removesuffix(closing)) else [])
                return Block(_join(body), at, number + 1, name=name)
            body.append(line)
        return None

    def _section_file(self, at: int, name: str) -> Block | None:
        """The text between two lines such as `===== app.py =====`."""
        end = at + 1
        while end < len(self._lines) and not name_from_section(self._lines[end]):
            if end in self._fences:
                return None
            end += 1
        body = self._lines[at + 1 : end]
        if not any(map(str.strip, body)):
            return None
        return Block(_join(body), at, end, name=name)

    # Fences that open nothing

    def _is_stray(self, at: int, fence: Fence) -> bool:
        if not fence.is_bare:
            return False
        if at >= self._last_text:
            return True
        if not self._blocks or self._blocks[-1].end != at or not self._blocks[-1].closed:
            return False
        return self._bare_after[bisect_left(self._fence_lines, at)] % 2 == 0

    def _unopened_before(self, at: int, fence: Fence) -> Block | None:
        """The code before a fence, when that closes a block that nothing opened."""
        if fence.opens_tagged:
            return None
        start = self._blocks[-1].end if self._blocks else 0
        while start < at and not self._lines[start].strip():
            start += 1
        candidates = [start] if start < at and looks_like_code(self._lines[start]) else []
        candidates += [
            number
            for number in range(start + 1, at)
            if looks_like_definition(self._lines[number]) and self._lines[number][0] not in " \t"
        ][:1]
        for first in candidates:
            body = self._lines[first:at]
            text = _join([body[0].lstrip(" "), *body[1:]])
            if self._reader.read(text).is_program:
                return Block(text, first, at + 1)
        return None

    # Fenced blocks

    def _read_block(self, at: int, opener: Fence, heading: str | None = None) -> Block:
        info = read_info(opener.info)
        first = info.code if info.code and looks_like_code(info.code) else None
        if info.language is None and looks_like_code(opener.info):
            first = opener.info
        language = info.language
        if info.name and language is None:
            language = language_of_path(info.name)
        if language in (PYTHON, PYTHON_SESSION, None) and not self._is_markdown(at, info.name):
            end = self._end_of_python(at, opener, first, untagged=language is None)
        elif language in (MARKDOWN, TEXT, None):
            end = self._end_of_markdown(at, opener, named=self._is_markdown(at, info.name))
        else:
            end = self._plain_end(at, opener)
        body = self._body(at, end, opener, first)
        body, own = _drop_language_line(body, language)
        return Block(
            text=_join(body),
            start=at,
            end=end.next,
            closed=end.closed,
            language=own,
            name=info.name,
            heading=heading,
            indented=bool(opener.indent),
        )

    def _is_markdown(self, at: int, name: str | None) -> bool:
        if name is None:
            above = next(
                (line for line in reversed(self._lines[max(0, at - 2) : at]) if line.strip()), ""
            )
            name = name_from_line(above)
        return name is not None and language_of_path(name) in (MARKDOWN, TEXT, "rst")

    def _body(self, at: int, end: _End, opener: Fence, first: str | None) -> list[str]:
        lines = self._lines[at + 1 : end.line]
        if end.rest is not None:
            lines.append(end.rest)
        if opener.quoted:
            lines = [strip_quote(line) for line in lines]
        lines = strip_indent(lines, opener.indent)
        return lines if first is None else [first, *lines]

    def _end_of_python(self, at: int, opener: Fence, first: str | None, *, untagged: bool) -> _End:
        """The first closer that makes the body parse; else the first that looks like one."""
        outside = next(self._fences_outside_strings(at, opener), None)
        plain = self._first_plain(at, opener)
        ends = [self._end_at(number, opener) for number in (outside, plain) if number is not None]
        ends = ends or [_End(len(self._lines), len(self._lines), closed=False)]
        for end in [*ends[:1], *self._glued_ends(at, ends[0].line), *ends[1:]]:
            if self._parses(at, end, opener, first):
                return end
        if untagged or outside is None:
            return self._plain_end(at, opener)
        return ends[0]

    def _parses(self, at: int, end: _End, opener: Fence, first: str | None) -> bool:
        body, _ = _drop_language_line(self._body(at, end, opener, first), None)
        return self._reader.read(_join(body)).parses

    def _fences_outside_strings(self, at: int, opener: Fence) -> Iterator[int]:
        """The fence lines after `at` that do not stand inside a triple-quoted string."""
        lines = self._lines[at + 1 :] if self._chars_left > 0 else []
        if opener.quoted:
            lines = [strip_quote(line) for line in lines]
        for number, in_string in enumerate(lines_in_strings(lines), at + 1):
            self._chars_left -= len(self._lines[number]) + 1
            fence = self._fences.get(number)
            if fence and not in_string and fence.mark == opener.mark:
                yield number
            if self._chars_left < 0:
                return

    def _glued_ends(self, at: int, stop: int) -> Iterator[_End]:
        """Closers at the end of a line of code."""
        found = 0
        for number in range(at + 1, min(stop, len(self._lines))):
            line = self._lines[number]
            if "```" in line and number not in self._fences and found < _MAX_GLUED_CLOSERS:
                found += 1
                yield _End(number, number + 1, closed=True, rest=line.partition("```")[0])

    def _first_plain(self, at: int, opener: Fence) -> int | None:
        lines = self._fence_lines_after(at)
        return next((n for n in lines if self._fences[n].closes(opener)), None)

    def _plain_end(self, at: int, opener: Fence) -> _End:
        """The first closer, or the next opener where that comes before."""
        for number in self._fence_lines_after(at):
            fence = self._fences[number]
            if fence.mark == opener.mark and fence.length >= opener.length:
                return self._end_at(number, opener)
        glued = next(self._glued_ends(at, len(self._lines)), None)
        return glued or _End(len(self._lines), len(self._lines), closed=False)

    def _end_at(self, number: int, opener: Fence) -> _End:
        """The end that a fence line makes: a closer, or an opener that no closer precedes."""
        fence = self._fences[number]
        if fence.opens_tagged and not fence.closes(opener):
            return _End(number, number, closed=False)
        return _End(number, number + 1, closed=True)

    def _end_of_markdown(self, at: int, opener: Fence, *, named: bool) -> _End:
        """The closer that leaves the fences inside in pairs."""
        depth = 0
        last: int | None = None
        for number in self._fence_lines_after(at):
            fence = self._fences[number]
            if fence.mark != opener.mark or fence.length < opener.length:
                continue
            if not fence.is_bare:
                if depth == 0 and last is not None and self._is_named_opener(number):
                    break
                depth += 1
            elif depth:
                depth -= 1
            elif last is not None and self._is_named_opener(number):
                break
            else:
                last = number
                if not named:
                    break
        return self._plain_end(at, opener) if last is None else self._end_at(last, opener)

    def _is_named_opener(self, at: int) -> bool:
        if read_info(self._fences[at].info).name:
            return True
        above = next(
            (line for line in reversed(self._lines[max(0, at - 2) : at]) if line.strip()), ""
        )
        return name_from_line(above) is not None

    def _fence_lines_after(self, at: int) -> Iterator[int]:
        for index in range(bisect_right(self._fence_lines, at), len(self._fence_lines)):
            number = self._fence_lines[index]
            self._hops_left -= 1
            if number >= len(self._lines) or self._hops_left < 0:
                return
            yield number


def _count_bare_after(fences: list[Fence]) -> list[int]:
    """For each fence, the number of bare ones that follow it without another in between."""
    counts = [0] * len(fences)
    for index in range(len(fences) - 2, -1, -1):
        counts[index] = counts[index + 1] + 1 if fences[index + 1].is_bare else 0
    return counts


def _drop_language_line(body: list[str], language: str | None) -> tuple[list[str], str | None]:
    """The body without a first line that is only the language's name; and the language."""
    index = next((number for number, line in enumerate(body) if line.strip()), None)
    if index is None or index + 1 == len(body):
        return body, language
    named = language_of_tag(body[index]) if body[index].strip().isalnum() else None
    named = language_of_tag(body[index].strip()) if named is None and body[index].strip() else named
    if named is None or (language is not None and named != language):
        return body, language
    return body[:index] + body[index + 1 :], named


def _join(lines: list[str]) -> str:
    return end_with_newline("\n".join(lines))
