"""Names that an answer gives its files: which are names at all, and which are safe to use."""

from __future__ import annotations

import posixpath
import re

_MAX_CHARS = 250
_MAX_PART_BYTES = 255
_BARE_NAMES = frozenset(
    {"Makefile", "makefile", "GNUmakefile", "Dockerfile", "Containerfile", "Gemfile", "Rakefile"}
    | {"Jenkinsfile", "Procfile", "Pipfile", "Vagrantfile", "Brewfile", "justfile", "Justfile"}
    | {"Caddyfile", "LICENSE", "README", "CHANGELOG", "NOTICE", "CODEOWNERS", "VERSION"}
)
_EXTENSION = re.compile(r"[\w\])}+-]\.[A-Za-z][A-Za-z0-9_]{0,11}$")
_HIDDEN = re.compile(
    r"\.(?:[A-Za-z][\w-]*(?:rc|ignore|config|attributes)|env(?:\.\w+)?|flake8|python-version"
    r"|gitkeep|keep|htaccess|profile|bash_profile)$"
)
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_NOT_IN_A_NAME = re.compile(r"[\s\"'`*|?;,!=<>$&^%#(){}]")
_OUTSIDE = re.compile(r"(?:/\w[^/]*/|~[\\/]|[A-Za-z]:[\\/]|\\|(?:\.{1,2}[\\/])*\.\.[\\/])\S")
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
    if base in _BARE_NAMES or _HIDDEN.match(base):
        return True
    if _EXTENSION.search(base):
        return "://" not in text
    return bool(base) and _OUTSIDE.match(text) is not None


def safe_path(name: str) -> str:
    """A name as a relative, normalised POSIX path. Raises UnsafePathError where it is none."""
    path = name.strip().replace("\\", "/")
    if _CONTROL.search(path):
        raise UnsafePathError("it holds a control character")
    if any(len(part.encode(errors="replace")) > _MAX_PART_BYTES for part in path.split("/")):
        raise UnsafePathError(f"a part of it has more than {_MAX_PART_BYTES} bytes")
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
