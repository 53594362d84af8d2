"""Which blocks become which files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pytest_llmbench.extraction.blocks import Block, Document
from pytest_llmbench.extraction.file_set import FileSet
from pytest_llmbench.extraction.languages import JSON, PYTHON, TEXT, language_of_path
from pytest_llmbench.extraction.naming import NamedBlock, name_blocks
from pytest_llmbench.extraction.other_unfenced import find_other_code
from pytest_llmbench.extraction.paths import UnsafePathError, safe_path
from pytest_llmbench.extraction.programs import (
    Program,
    choose_program,
    read_other,
    read_program,
)
from pytest_llmbench.extraction.python_source import PythonReader
from pytest_llmbench.extraction.versions import Version, choose_version


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the task asks for."""

    entry: str
    expects: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """The files that blocks without a name may be: the entry first, then those expected.

        The entry is none of them when the task expects other files in its language.
        """
        language = language_of_path(self.entry)
        others = tuple(path for path in self.expects if path != self.entry)
        if self.entry not in self.expects and any(
            language_of_path(path) == language for path in others
        ):
            return others
        return (self.entry, *others)


def choose_files(document: Document, wanted: Wanted, reader: PythonReader) -> FileSet:
    """Give each block its place, or none."""
    return _Choice(document, wanted, reader).run()


class _Choice:
    def __init__(self, document: Document, wanted: Wanted, reader: PythonReader) -> None:
        self._document = document
        self._wanted = wanted
        self._reader = reader
        self._files = FileSet()
        self._named: dict[str, list[NamedBlock]] = {}
        self._unnamed: list[Block] = []

    def run(self) -> FileSet:
        asked = {self._wanted.entry, *self._wanted.expects}
        for each in name_blocks(self._document, asked):
            self._sort(each)
        self._put_into_folders(asked)
        for path, versions in self._named.items():
            self._files.add(path, self._choose_version(path, versions))
        places = self._wanted.places
        for path in places:
            if path not in self._files.texts:
                self._fill(path, places)
        entry = self._wanted.entry
        if entry not in places and not self._holds(language_of_path(entry)):
            self._fill(entry, (entry,))
        return self._files

    def _sort(self, each: NamedBlock) -> None:
        """Put a block with those of the same path; refuse a path that is not safe."""
        if each.name is None:
            self._unnamed.append(each.block)
            return
        try:
            path = safe_path(each.name)
        except UnsafePathError as error:
            self._files.warn(f"the path {_shorten(each.name)} was refused: {error}")
            self._files.refused_a_path = True
            if not each.is_firm:
                self._unnamed.append(each.block)
        else:
            self._named.setdefault(path, []).append(each)

    def _put_into_folders(self, asked: AbstractSet[str]) -> None:
        """Where the task asks for `src/app.py` and the answer says `app.py`, that is meant."""
        for path in sorted(asked - self._named.keys()):
            short = [name for name in self._named if path.endswith(f"/{name}")]
            if len(short) == 1 and short[0] not in asked:
                self._named[path] = self._named.pop(short[0])

    def _choose_version(self, path: str, blocks: Sequence[NamedBlock]) -> str:
        versions = [self._read_version(path, each) for each in blocks]
        chosen = choose_version(versions, self._wanted.defines)
        if chosen is not versions[-1]:
            self._files.warn(f"a later version of {path!r} was passed over: it is not complete")
        return chosen.text

    def _read_version(self, path: str, each: NamedBlock) -> Version:
        block = each.block
        if language_of_path(path) != PYTHON:
            return Version(block.text, block.closed, each.is_firm)
        program = read_program(block, self._reader)
        if program is None or not program.source.parses:
            return Version(block.text, is_complete=False, is_firm=each.is_firm)
        return Version(program.text, True, each.is_firm, program.source)  # noqa: FBT003

    def _holds(self, language: str | None) -> bool:
        return any(language_of_path(path) == language for path in self._files.texts)

    def _fill(self, path: str, places: Sequence[str]) -> None:
        """Find the block for a place that no name filled."""
        language = language_of_path(path)
        rivals = [place for place in places if language_of_path(place) == language]
        missing = [place for place in rivals if place not in self._files.texts]
        if len(missing) > 1 and path != self._wanted.entry:
            return  # which of them a block is nobody can tell
        unnamed = list(self._read_unnamed(language))
        named = list(self._read_outsiders(language, rivals)) if len(rivals) == 1 else []
        if len(rivals) > 1 and len(missing) < len(rivals):
            unnamed = [each for each in unnamed if each.source.defined]
        chosen = choose_program(self._pool(unnamed, named), self._document, self._wanted.defines)
        if chosen is None:
            return
        self._files.add(path, chosen.text)
        if chosen.block in self._unnamed:
            self._unnamed.remove(chosen.block)
        else:
            self._files.warn(f"the answer gave its program another name: it is {path!r} as well")

    def _pool(self, unnamed: list[Program], named: list[Program]) -> list[Program]:
        """Those among which the program is chosen: the named ones only where it is clear."""
        if len(named) == 1:
            return sorted([*named, *unnamed], key=lambda each: each.block.start)
        if not named:
            return unnamed
        defining = [each for each in unnamed if each.source.defined]
        wanted = set(self._wanted.defines)
        return defining or [
            each for each in named if wanted and wanted.issubset(each.source.defined)
        ]

    def _read_unnamed(self, language: str | None) -> Iterator[Program]:
        for block in self._unnamed:
            if language == PYTHON:
                program = read_program(block, self._reader)
                if program is not None:
                    yield program
            elif block.language == language:
                yield read_other(block)
        if language != PYTHON and not any(b.language == language for b in self._unnamed):
            for block in self._unnamed:
                if block.language is None and _may_hold(block.text, language):
                    yield read_other(block)

    def _read_outsiders(self, language: str | None, rivals: Sequence[str]) -> Iterator[Program]:
        """Programs under names that the task did not ask for, tests and the like left out."""
        for path, blocks in self._named.items():
            if language_of_path(path) != language or path in rivals or _is_side_file(path):
                continue
            for each in blocks:
                if each.block.text and self._files.texts.get(path) is not None:
                    program = (
                        read_program(each.block, self._reader)
                        if language == PYTHON
                        else read_other(each.block)
                    )
                    if program is not None and program.text == self._files.texts[path]:
                        yield program
                        break


_DATA = (TEXT, JSON, "csv", "ini", "toml", "yaml", None)


def _may_hold(text: str, language: str | None) -> bool:
    """Whether an untagged block may be in a language that cannot be parsed here."""
    return language in _DATA or find_other_code(text) is not None


_SIDE_FILE = re.compile(r"(?:test_.*|.*_test|conftest|setup|__init__|.*\.(?:test|spec))\.\w+")


def _is_side_file(path: str) -> bool:
    return _SIDE_FILE.fullmatch(posixpath.basename(path)) is not None


_SHOWN_CHARS = 60


def _shorten(name: str) -> str:
    return repr(name if len(name) <= _SHOWN_CHARS else f"{name[:_SHOWN_CHARS]}…")
