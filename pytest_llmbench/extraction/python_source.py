"""What Python makes of a text, without running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# What can go wrong in the parser for some text: no grammar, a NUL, nesting beyond its stack.
_PARSER_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError)

# The parser needs up to 3 µs a character. It sees no more of them than this, so that an answer
# of 100,000 characters is read in less than two seconds whatever it holds.
_PARSED_CHARS = 300_000
_PARSED_SHARE = 3  # of a larger answer: each part of it a few times


@dataclass(frozen=True, slots=True)
class PythonSource:
    """The outline of a text that was read as Python."""

    parses: bool
    defined: tuple[str, ...] = ()
    """Functions, classes and lambdas at the top level, in order."""
    imports: bool = False
    acts: bool = False
    """Holds a statement that does something: more than names, constants and arithmetic."""
    error_line: int | None = None
    """Where the parser gave up, counted from 1; None when it parses or nobody knows."""
    incomplete: bool = False
    """It does not parse, and what is wrong is that it ends too early."""

    @property
    def is_program(self) -> bool:
        """It parses and defines, imports or does something."""
        return self.parses and (self.acts or self.imports or bool(self.defined))

    @property
    def is_test(self) -> bool:
        """All that it defines are tests."""
        return bool(self.defined) and all(
            name.startswith(("test_", "Test")) or name.endswith("Test") for name in self.defined
        )


class PythonReader:
    """Reads texts as Python, each once, and not more of them than time allows."""

    def __init__(self, answer_chars: int = 0) -> None:
        self._known: dict[str, PythonSource] = {}
        self._chars_left = max(_PARSED_CHARS, _PARSED_SHARE * answer_chars)

    @property
    def is_spent(self) -> bool:
        """Nothing that is not known yet will be read any more."""
        return self._chars_left <= 0

    def read(self, text: str) -> PythonSource:
        """The outline of `text`. When time is up, every new text counts as one that fails."""
        known = self._known.get(text)
        if known is None:
            self._chars_left -= len(text) + _CHARS_PER_CALL
            if self.is_spent:
                return PythonSource(parses=False)
            known = self._known[text] = _read(text)
        return known


_CHARS_PER_CALL = 100  # what calling the parser costs, in characters


def _read(text: str) -> PythonSource:
    try:
        tree = ast.parse(_without_causes_of_warnings(text))
    except _PARSER_ERRORS as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        return PythonSource(parses=False, error_line=line, incomplete=_ends_early(error, text))
    return PythonSource(
        parses=True,
        defined=tuple(_defined_names(tree.body)),
        imports=any(isinstance(each, ast.Import | ast.ImportFrom) for each in tree.body),
        acts=any(_acts(each) for each in tree.body),
    )


_EARLY_END = re.compile(
    r"was never closed|unterminated|unexpected EOF|expected an indented block|EOF while scanning"
    r"|f-string: expecting '}'"
)


def _ends_early(error: BaseException, text: str) -> bool:
    if not isinstance(error, SyntaxError):
        return False
    last_line = text.rstrip().count("\n") + 1
    at_end = error.lineno is not None and error.lineno >= last_line
    message = error.msg or ""
    if "was never closed" in message or "unterminated triple-quoted" in message:
        return True  # reported where the bracket or the string begins
    return at_end or bool(_EARLY_END.search(message) and (error.end_lineno or 0) >= last_line)


# The parser warns about some spellings, through filters that all threads share. So that there
# is nothing to warn about, and nothing to filter, these are respelt first; no line moves.
_ESCAPE = re.compile(r"\\(?:[4-7][0-7]{2}|.)", re.DOTALL)
_KNOWN_ESCAPES = frozenset("\n\\'\"abfnrtv01234567xNuU")
_BYTES_ESCAPE = re.compile(r"(?<![\w\\])([bB]'[^'\n]*'|[bB]\"[^\"\n]*\")")
_GLUED_KEYWORD = re.compile(
    r"(?<!\w)(0[xX][\da-fA-F_]*+|0[bB][01_]*+|0[oO][0-7_]*+"
    r"|\.?\d[\d_]*+(?:\.[\d_]*+)?(?:[eE][+-]?\d++)?[jJ]?)"
    r"(?=and|else|for|if|in|is|not|or)"
)


def _without_causes_of_warnings(text: str) -> str:
    if "\\" in text:
        text = _BYTES_ESCAPE.sub(lambda m: _UNICODE_ESCAPE.sub(r"\\\\\1", m[0]), text)
        text = _ESCAPE.sub(_respell_escape, text)
    if "finally" in text:
        text = _JUMP.sub(lambda m: m[1] + ("yield" if m[2] == "return" else "pass"), text)
    return _GLUED_KEYWORD.sub(r"\1 ", text)


_JUMP = re.compile(r"(^[ \t]*|[:;][ \t]*)(return|break|continue)\b", re.MULTILINE)
_UNICODE_ESCAPE = re.compile(r"(?<!\\)\\([NuU])")


def _respell_escape(match: re.Match[str]) -> str:
    escape = match[0]
    return escape if escape[1:] in _KNOWN_ESCAPES else "\\" + escape


def _defined_names(statements: Sequence[ast.stmt]) -> Iterator[str]:
    for each in statements:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield each.name
        elif isinstance(each, ast.Assign) and isinstance(each.value, ast.Lambda):
            yield from (target.id for target in each.targets if isinstance(target, ast.Name))
        elif isinstance(each, ast.If | ast.Try):
            yield from _defined_names(each.body)
            yield from _defined_names(each.orelse)


def _acts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return not _is_mere_value(statement.value)
    # "Output: 42" is a line of prose, though Python takes it for an annotation.
    return not isinstance(statement, ast.AnnAssign) or statement.value is not None


def _is_mere_value(value: ast.expr) -> bool:
    pending: list[ast.AST] = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call | ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return False
        pending.extend(ast.iter_child_nodes(node))
    return True


_STRING_START = re.compile(r"#|'''|\"\"\"|'|\"|\\.")
_TRIPLE_QUOTES = ("'''", '"""')
_STRING_END = {
    quote: re.compile(rf"(?:\\.|[^\\])*?{quote}") for quote in ("'", '"', *_TRIPLE_QUOTES)
}


def lines_in_strings(lines: Iterable[str]) -> Iterator[bool]:
    """For each line of Python, whether it begins inside a triple-quoted string."""
    quote: str | None = None
    for line in lines:
        yield quote is not None
        quote = _quote_after(line, quote)


def _quote_after(line: str, quote: str | None) -> str | None:
    at = 0
    while True:
        if quote is None:
            start = _STRING_START.search(line, at)
            if start is None or start[0] == "#":
                return None
            at = start.end()
            if start[0][0] == "\\":
                continue
            quote = start[0]
        end = _STRING_END[quote].match(line, at)
        if end is None:
            return quote if quote in _TRIPLE_QUOTES else None
        at, quote = end.end(), None


_CODE_LINE = re.compile(
    r"(?:async\s+)?def\s+\w+\s*[(\[]|class\s+\w+\s*[:(\[]|@\w[\w.]*(?:\(.*)?\s*$"
    r"|import\s+\w[\w., ]*(?:\s+as\s+\w+)?\s*(?:#.*)?$|from\s+[\w.]+\s+import\b"
    r"|if\s+__name__\s*==|#!.*python"
    r"|(?:if|elif|while|for|with|try|else|except|finally)\b.*:\s*(?:#.*)?$"
    r"|[A-Za-z_][\w.]*(?:\[[^\]]*\])?\s*(?:[-+*/|&^%]|//|\*\*)?=(?!=)\s*\S"
    r"|(?:print|return|raise|assert|yield|global|nonlocal|lambda|pass|break|continue)\b\s*"
    r"(?:\(|[\w\[{'\"(-]+\s*$|$)"
    r"|[A-Za-z_][\w.]*\(.*\)\s*(?:#.*)?$"
)
_DEFINITION_LINE = re.compile(
    r"\s*(?:async\s+)?(?:def\s+\w+\s*[(\[]|class\s+\w+\s*[:(\[])|(?:from\s+[\w.]+\s+)?import\s+\w"
)


def looks_like_code(line: str) -> bool:
    """Whether a line, without its indent, reads as Python rather than as prose."""
    return _CODE_LINE.match(line.strip()) is not None


def looks_like_definition(line: str) -> bool:
    """Whether a line begins a function, a class or an import."""
    return _DEFINITION_LINE.match(line) is not None and looks_like_code(line)


def defines_by_name(text: str, name: str) -> bool:
    """Whether a text that need not parse seems to define a function or class."""
    return (
        re.search(rf"^[ \t]*(?:async +)?(?:def|class) +{re.escape(name)}\b", text, re.MULTILINE)
        is not None
    )


_LANGUAGE_WORD = re.compile(r"\s*(?i:python3?)\s*:?\s+(?=(?:def|class|import|from|async|@)\b)")


def without_language_word(text: str) -> str:
    """The text without the language's name glued to its first line: `python def f(): …`."""
    word = _LANGUAGE_WORD.match(text)
    return text if word is None else text[word.end() :]
