"""One walk down an answer's lines: blocks, stray fences, and where the answer ends."""

from __future__ import annotations

from pytest_llmbench.extraction.answer_lines import AnswerLines
from pytest_llmbench.extraction.blocks import Block, Document
from pytest_llmbench.extraction.bodies import BodyReader
from pytest_llmbench.extraction.fences import Fence
from pytest_llmbench.extraction.languages import PYTHON
from pytest_llmbench.extraction.names import (
    FileTag,
    name_from_section,
    read_file_tag,
    read_info,
)
from pytest_llmbench.extraction.python_source import (
    PythonReader,
    looks_like_code,
    looks_like_definition,
)
from pytest_llmbench.extraction.text import end_with_newline, join_lines
from pytest_llmbench.extraction.turns import find_end


def find_blocks(text: str, reader: PythonReader) -> Document:
    """Take an answer apart, line by line."""
    return _Scanner(AnswerLines(text), reader).run()


class _Scanner:
    def __init__(self, lines: AnswerLines, reader: PythonReader) -> None:
        self._lines = lines
        self._reader = reader
        self._bodies = BodyReader(lines, reader)
        self._blocks: list[Block] = []
        self._has_text = False
        self._has_code = False

    def run(self) -> Document:
        at = 0
        while at < len(self._lines):
            fence = self._lines.fences.get(at)
            block = self._read_line(at) if fence is None else self._read_fence(at, fence)
            if block is None:
                at += 1
                continue
            self._blocks.append(block)
            at = block.end
            closer = self._lines.fences.get(at - 1)
            if closer is not None and closer.ends_answer:
                self._lines.cut(at)
        return Document(self._lines[:], self._blocks)

    def _read_fence(self, at: int, fence: Fence) -> Block | None:
        if self._is_stray(at, fence):
            return None
        return self._closed_but_not_opened(at, fence) or self._bodies.read_block(at, fence)

    def _is_stray(self, at: int, fence: Fence) -> bool:
        """Whether a bare fence right behind a closer, or at the very end, opens nothing."""
        if not fence.is_bare:
            return False
        if at >= self._lines.last_text:
            return self._closed_but_not_opened(at, fence) is None
        if not self._blocks or self._blocks[-1].end != at or not self._blocks[-1].closed:
            return False
        return self._lines.count_bare_after(at) % 2 == 0

    def _closed_but_not_opened(self, at: int, fence: Fence) -> Block | None:
        """The code before a fence, when that closes a block that nothing opened."""
        if fence.opens_tagged:
            return None
        start = self._blocks[-1].end if self._blocks else 0
        while start < at and not self._lines[start].strip():
            start += 1
        for first in self._starts_of_code(start, at):
            body = self._lines[first:at]
            text = join_lines([body[0].lstrip(" "), *body[1:]])
            if self._reader.read(text).is_program:
                return Block(text, first, at + 1)
        return None

    def _starts_of_code(self, start: int, stop: int) -> list[int]:
        """The first of some lines if it reads as code, and the first definition below it."""
        found = [start] if start < stop and looks_like_code(self._lines[start]) else []
        for number in range(start + 1, stop):
            line = self._lines[number]
            if line[:1] not in (" ", "\t") and looks_like_definition(line):
                return [*found, number]
        return found

    def _read_line(self, at: int) -> Block | None:
        """The block that a line outside all blocks begins; else see whether the answer ends."""
        line = self._lines[at]
        block: Block | None = None
        if "```" in line:
            block = self._glued_block(at)
        elif tag := read_file_tag(line):
            block = self._tagged_file(at, tag)
        elif name := name_from_section(line):
            block = self._section_file(at, name)
        if block is None:
            self._cut_at_end(at)
        return block

    def _cut_at_end(self, at: int) -> None:
        line = self._lines[at]
        self._has_code = self._has_code or looks_like_definition(line)
        end = find_end(line, after_code=self._has_code or bool(self._blocks))
        self._has_text = self._has_text or bool(line[:end].strip())
        if end is not None and (self._has_text or self._blocks):
            self._lines.cut(at, line[:end].rstrip())

    def _glued_block(self, at: int) -> Block | None:
        """A block whose opener is glued to prose, or that stands whole on one line."""
        before, _, rest = self._lines[at].partition("```")
        if "```" in rest:
            return self._block_on_one_line(at, before, rest)
        fence = Fence("", quoted=False, plain=True, mark="`", length=3, info=rest.strip())
        if not (fence.is_bare or read_info(fence.info).language):
            return None
        block = self._bodies.read_block(at, fence, heading=before)
        if fence.is_bare and not (block.closed and self._reader.read(block.text).is_program):
            return None
        return block

    def _block_on_one_line(self, at: int, before: str, rest: str) -> Block | None:
        text, _, after = rest.partition("```")
        info = read_info(text.strip())
        code = info.code if info.language == PYTHON and info.code else text.strip()
        if "```" in after or not self._reader.read(code).defined:
            return None
        return Block(end_with_newline(code), at, at + 1, language=PYTHON, heading=before)

    def _tagged_file(self, at: int, tag: FileTag) -> Block | None:
        """The text between `<file path="…">` and `</file>`, unless it is a fenced block."""
        closing = f"</{tag.tag}>"
        first = self._lines[at][tag.end :]
        if closing in first:
            return Block(end_with_newline(first.partition(closing)[0]), at, at + 1, name=tag.name)
        body = [first] if first.strip() else []
        for number in range(at + 1, len(self._lines)):
            line = self._lines[number].rstrip()
            if line.endswith(closing):
                body += [line.removesuffix(closing)] if line != closing else []
                return Block(join_lines(body), at, number + 1, name=tag.name)
            if not self._lines.step() or (
                number in self._lines.fences and not any(map(str.strip, body))
            ):
                return None
            body.append(self._lines[number])
        return None

    def _section_file(self, at: int, name: str) -> Block | None:
        """The text between two lines such as `===== app.py =====`."""
        end = at + 1
        while end < len(self._lines) and not name_from_section(self._lines[end]):
            if end in self._lines.fences:
                return None
            end += 1
        body = self._lines[at + 1 : end]
        if not any(map(str.strip, body)):
            return None
        return Block(join_lines(body), at, end, name=name)
