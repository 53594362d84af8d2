"""How an answer names the file that a block of code is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_llmbench.extraction.languages import language_of_tag
from pytest_llmbench.extraction.paths import is_file_name

# Names stand in short lines; a longer one is not searched, so that time stays linear.
_MAX_LINE_CHARS = 600

_ATTRIBUTE = re.compile(
    r"""(?P<key>[\w-]+)\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[^\s"'}]+))"""
)
_NAME_KEYS = frozenset({"title", "filename", "file", "path", "name", "filepath", "file_path"})
_LINE_RANGE = re.compile(r":\d+(?:-\d+)?$")


@dataclass(frozen=True, slots=True)
class Info:
    """What an opener's info string says."""

    language: str | None = None
    tag: str = ""
    """Its first word, unless that is a name or an attribute."""
    name: str | None = None
    code: str | None = None
    """What a known language's tag is followed by when that is no name: maybe code."""


def read_info(info: str) -> Info:
    """Language, file name and stray text of an info string."""
    text = info[:_MAX_LINE_CHARS].strip()
    if text.startswith("{"):
        text = text.strip("{} ")
    if not text:
        return Info()
    attribute = _name_attribute(text)
    if _ATTRIBUTE.match(text):
        return Info(name=attribute)
    first, _, rest = text.partition(" ")
    language, tag, name = _read_first_word(first)
    name = name or attribute or _name_among(rest)
    stray = info.strip().partition(" ")[2].strip()
    return Info(language, tag, name, stray if language and stray and not name else None)


def _read_first_word(word: str) -> tuple[str | None, str, str | None]:
    language = language_of_tag(word)
    if language is not None:
        return language, word, None
    tag, colon, path = word.partition(":")
    path = _LINE_RANGE.sub("", path)
    if colon and is_file_name(path) and re.fullmatch(r"[\w+#.-]+", tag):
        return language_of_tag(tag), tag, path
    word = _LINE_RANGE.sub("", word)
    return (None, "", word) if is_file_name(word) else (None, word, None)


def _name_attribute(text: str) -> str | None:
    for match in _ATTRIBUTE.finditer(text):
        value = (match["double"] or match["single"] or match["plain"] or "").strip()
        if match["key"].lower() in _NAME_KEYS and is_file_name(value):
            return value
    return None


_MAX_WORDS = 6  # more of them are a sentence


def _name_among(text: str) -> str | None:
    """The first name among a few words: `# src/app.py (new)`."""
    words = text.split(None, _MAX_WORDS)
    if len(words) > _MAX_WORDS:
        return None
    for word in words:
        bare = _LINE_RANGE.sub("", word.strip("()[]`\"',:;"))
        if is_file_name(bare):
            return bare
    return None


_COMMENT_START = re.compile(r"//+\s+")
_BEFORE_NAME = re.compile(r"[^\w./~\\@\0]*+")  # bullets, heading marks, bold, quotes, pictures
_NUMBER = re.compile(r"(?i:step\s+)?\d+(?:\.\d+)*+[.):]\s+")
_LABEL = re.compile(r"(?i:file\s?name|file\s?path|file|path|source)\s*\d*+\s*(?:[:=]|(?=[`*\"]))")
_AFTER_NAME = "`*\"':#=- \t>]"
_DESCRIBED = re.compile(
    r"(?:#{1,6}\s+)?(?:[-*+]\s+)?(?:\d+[.)]\s+)?(?:\*\*`?|`|#{1,6}\s+)"
    r"(?P<name>[^\s`*]+)(?:`?\*\*|`)?:?\s+(?:[-–—]\s+)\S"
)


def name_from_line(line: str) -> str | None:
    """The name when a line holds a name and nothing but decoration, a label or a note."""
    line = line.strip()
    if not line or len(line) > _MAX_LINE_CHARS or line.startswith(("</", "[/")):
        return None
    described = _DESCRIBED.match(line)
    if described and is_file_name(described["name"]):
        return described["name"]
    text = _without_note(line.rstrip(_AFTER_NAME)).rstrip(_AFTER_NAME)
    for part in (_COMMENT_START, _BEFORE_NAME, _NUMBER, _BEFORE_NAME, _LABEL, _BEFORE_NAME):
        if match := part.match(text):
            text = text[match.end() :]
    text = _LINE_RANGE.sub("", text)
    return text if is_file_name(text) else None


def _without_note(text: str) -> str:
    """Without a note in brackets at the end."""
    for opening, closing in ("()", "[]"):
        if text.endswith(closing) or (closing == "]" and text.count("[") > text.count("]")):
            before = text.rpartition(opening)[0].rstrip()
            return before or text
    return text


_COMMENT_MARKS = ("<!--", '"""', "'''", "//", "/*", "--", "#", ";", "%")


def name_from_comment(line: str) -> str | None:
    """The name when a line of code is a comment that is only a path."""
    line = line.strip()
    mark = next((each for each in _COMMENT_MARKS if line.startswith(each)), None)
    if mark is None or len(line) > _MAX_LINE_CHARS:
        return None
    text = line.removeprefix(mark).removesuffix("-->").removesuffix("*/").removesuffix(mark)
    text = text.strip("#/-=* \t") if not text.strip().startswith("/") else text.strip()
    if label := _LABEL.match(text):
        text = text[label.end() :]
    text = _without_note(text.strip("`\"'* :")).strip("`\"'* :")
    return text if is_file_name(text) else None


_SECTION_MARKS = {"=": 2, "-": 3, "*": 3, "#": 3, "~": 2, ">": 3}
_SECTION_LABEL = re.compile(r"(?i)(?:(?:begin|start)\s+)?(?:(?:of\s+)?file\s*:?\s+)?")


def name_from_section(line: str) -> str | None:
    """The name in a line such as `===== app.py =====`."""
    line = line.strip()
    mark = line[:1]
    if mark not in _SECTION_MARKS or not mark or len(line) > _MAX_LINE_CHARS:
        return None
    if not line.startswith(mark * _SECTION_MARKS[mark]) or line[-1] not in "=-*#~<":
        return None
    text = line.strip("=-*#~<> \t")
    if label := _SECTION_LABEL.match(text):
        text = text[label.end() :]
    text = text.strip("`\"': ")
    return text if is_file_name(text) else None


_FILE_TAG = re.compile(
    r"\s*<(?P<tag>[A-Za-z][\w:-]*)\s(?:[^<>]*?\s)?"
    r"(?:path|name|filename|filePath|file|file_path)\s*=\s*"
    r"(?:\"(?P<double>[^\"]+)\"|'(?P<single>[^']+)')[^<>]*>"
)


@dataclass(frozen=True, slots=True)
class FileTag:
    """A line that begins with `<file path="…">`."""

    tag: str
    name: str
    end: int
    """The column behind it."""


def read_file_tag(line: str) -> FileTag | None:
    """The tag, or None."""
    if "<" not in line or "=" not in line or len(line) > _MAX_LINE_CHARS:
        return None
    match = _FILE_TAG.match(line)
    if match is None:
        return None
    name = (match["double"] or match["single"]).strip()
    return FileTag(match["tag"], name, match.end()) if is_file_name(name) else None


_QUOTED = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*|\"([^\"\n]+)\"|'([^'\n]+)'")


def quoted_names(paragraph: str) -> Iterator[str]:
    """The names that a paragraph quotes, in order."""
    for match in _QUOTED.finditer(paragraph[-_MAX_LINE_CHARS:]):
        text = next(group for group in match.groups() if group).strip("`*\"' ")
        if is_file_name(text):
            yield text
