"""Names that an answer gives its files: which are names at all, and which are safe to use."""

from __future__ import annotations

import posixpath
import re

from pytest_llmbench.extraction.languages import KNOWN_BARE_NAMES

_MAX_CHARS = 250
_EXTENSION = re.compile(r"[\w\])}+-]\.[A-Za-z][A-Za-z0-9_]{0,11}$")
_HIDDEN = re.compile(r"\.[A-Za-z][\w-]*(?:rc|ignore|config|env)$|\.env\.\w+$")
_NOT_IN_A_NAME = re.compile(r"[\s\"'`*|?;,!=<>$&^%#(){}]")
_OUTSIDE = re.compile(r"(?:/|~|[A-Za-z]:[\\/]|\\|(?:\.{1,2}[\\/])*\.\.[\\/])\S")
# Read as prose: products, addresses and abbreviations that have the form of a name.
_PRODUCTS = re.compile(
    r"(?:node|next|vue|react|express|three|d3|nuxt|deno|alpine|chart|angular|ember|backbone)\.js"
    r"|asp\.net|[\w.-]+\.(?:com|org|net|io|dev|ai|edu)|e\.g|i\.e|etc\.?|[A-Z]\.[A-Z]",
    re.IGNORECASE,
)


class UnsafePathError(ValueError):
    """A path that must not be written; its text says why."""


def is_file_name(text: str) -> bool:
    """Whether a text is a path: its last part has an extension or is a well-known bare name.

    A path that leads outside counts too, so that it can be refused by name.
    """
    if not text or "\n" in text or _PRODUCTS.fullmatch(text):
        return False
    if _NOT_IN_A_NAME.search(text) and "\0" not in text:
        return False
    base = posixpath.basename(text.replace("\\", "/"))
    if base.lower() in KNOWN_BARE_NAMES:
        # A lone word such as "License" is prose unless it is written as these names are.
        return base in _AS_WRITTEN or "/" in text or base.startswith(".")
    if _EXTENSION.search(base) or _HIDDEN.match(base):
        return "://" not in text
    return bool(base) and _OUTSIDE.match(text) is not None


_AS_WRITTEN = frozenset(
    "Makefile makefile GNUmakefile Dockerfile Containerfile Gemfile Rakefile Jenkinsfile Procfile"
    " Pipfile Vagrantfile Brewfile justfile Caddyfile LICENSE README CODEOWNERS".split()
)


def safe_path(name: str) -> str:
    """A name as a relative, normalised POSIX path. Raises UnsafePathError where it is none."""
    path = name.strip().replace("\\", "/")
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        raise UnsafePathError("it holds a control character")
    if len(path) > _MAX_CHARS:
        raise UnsafePathError(f"it has more than {_MAX_CHARS} characters")
    if path.startswith("/"):
        raise UnsafePathError("it is absolute")
    if re.match(r"[A-Za-z]:", path):
        raise UnsafePathError("it names a drive")
    if path.startswith("~"):
        raise UnsafePathError("it leads to a home folder")
    normal = posixpath.normpath(path) if path else ""
    if normal == ".." or normal.startswith("../"):
        raise UnsafePathError("it leads out of the folder")
    if normal in ("", ".") or path.endswith("/"):
        raise UnsafePathError("it names no file")
    return normal
