"""Files as they are collected from an answer, and what was refused on the way."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator


class FileSet:
    """Texts by path, such that all of them can be written into one folder."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.warnings: list[str] = []
        self.refused_a_path = False
        """The answer holds a block whose name must not be written."""
        self._folders: set[str] = set()

    def add(self, path: str, text: str) -> None:
        """Put a file in place, unless one path needs a folder where the other has a file."""
        folders = set(_folders_above(path))
        if path in self._folders or not folders.isdisjoint(self.texts):
            self.warn(f"{path!r} was left out: a file stands where another needs a folder")
            return
        self.texts[path] = text
        self._folders |= folders

    def warn(self, message: str) -> None:
        """Note something, once."""
        if message not in self.warnings:
            self.warnings.append(message)


def _folders_above(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path
