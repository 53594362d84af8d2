"""A Python source as tokens grouped by logical line, whether the source parses or not.

parso reads it: it is pure Python, and where a statement is broken its tokenizer goes on, so that
an answer cut off in mid-statement still shows what was written. The tokens suffice, and they are
the same in whole and in broken code, which a syntax tree is not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeAlias

from parso.grammar import load_grammar
from parso.python.tree import PythonLeaf
from parso.tree import NodeOrLeaf

Kind: TypeAlias = Literal["name", "keyword", "operator", "number", "string"]

# A fixed grammar, so that a score does not depend on the interpreter that runs the suite.
GRAMMAR_VERSION = "3.14"

_STRING_LITERAL = re.compile(r"(?is)^[a-z]*('''|\"\"\"|'|\")(.*?)(?:\1)?$")


@dataclass(frozen=True, slots=True)
class Token:
    """One token; comments are none."""

    kind: Kind
    text: str
    """As written; of a string what stands between its quotes, escapes untouched and every
    replacement field of an f-string as `{}`."""
    format_specs: tuple[str, ...] = ()
    """What follows the colon in the replacement fields of an f-string."""
    fields: int = 0
    """How many replacement fields an f-string has."""
    live: bool = True
    """False for a string that the program can never use: a docstring, or the value of a name
    that occurs nowhere else."""


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line."""

    tokens: tuple[Token, ...]
    indent: int
    """The column of its first token."""

    def words(self) -> set[str]:
        """The words of all names in the line; see `split_words`."""
        return {word for name in self.names() for word in split_words(name)}

    def names(self) -> list[str]:
        """All identifiers, in order."""
        return [token.text for token in self.tokens if token.kind == "name"]

    def strings(self) -> list[Token]:
        """All strings that the program can use."""
        return [token for token in self.tokens if token.kind == "string" and token.live]


def read_lines(source: str) -> tuple[Line, ...]:
    """The logical lines of `source`. Never raises for what is wrong in it."""
    grammar = load_grammar(version=GRAMMAR_VERSION)
    leaf = grammar.parse(source).get_first_leaf()
    lines = [line for line in _split(_walk(leaf)) if line.tokens]
    return tuple(_mark_dead_strings(lines))


def split_words(identifier: str) -> list[str]:
    """`mark_asDone` → mark, as, done."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", identifier)]


def _walk(leaf: NodeOrLeaf | None) -> Iterator[PythonLeaf]:
    while isinstance(leaf, PythonLeaf):
        yield leaf
        leaf = leaf.get_next_leaf()  # type: ignore[no-untyped-call] # parso leaves it untyped


def _split(leaves: Iterable[PythonLeaf]) -> Iterator[Line]:
    tokens: list[Token] = []
    indent = 0
    open_fstrings: list[int] = []
    for leaf in leaves:
        if leaf.type == "newline":
            yield Line(tuple(tokens), indent)
            tokens, open_fstrings = [], []
            continue
        if not tokens:
            indent = leaf.start_pos[1]
        if leaf.type == "fstring_start":
            open_fstrings.append(len(tokens))
            tokens.append(Token("string", ""))
        elif leaf.type == "fstring_end":
            if open_fstrings:
                open_fstrings.pop()
        elif open_fstrings and _extend_fstring(tokens, open_fstrings[-1], leaf):
            continue
        else:
            tokens.extend(_read_token(leaf))
    yield Line(tuple(tokens), indent)


def _extend_fstring(tokens: list[Token], position: int, leaf: PythonLeaf) -> bool:
    """Add a piece of the f-string that stands at `position`; False when it is none."""
    fstring = tokens[position]
    parent = leaf.parent.type if leaf.parent else ""
    if leaf.type == "fstring_string":
        if parent == "fstring_format_spec":
            specs = (*fstring.format_specs, leaf.value)
            tokens[position] = replace(fstring, format_specs=specs)
        else:
            tokens[position] = replace(fstring, text=fstring.text + leaf.value)
        return True
    if leaf.value == "{" and parent in {"fstring_expr", "error_node"}:
        tokens[position] = replace(fstring, text=fstring.text + "{}", fields=fstring.fields + 1)
        return True
    return leaf.value == "}" and parent == "fstring_expr"


def _read_token(leaf: PythonLeaf) -> Iterator[Token]:
    kinds: dict[str, Kind] = {
        "name": "name",
        "keyword": "keyword",
        "operator": "operator",
        "number": "number",
    }
    if leaf.type in kinds:
        yield Token(kinds[leaf.type], leaf.value)
    elif leaf.type == "string":
        literal = _STRING_LITERAL.match(leaf.value)
        yield Token("string", literal[2] if literal else leaf.value)


def _mark_dead_strings(lines: Sequence[Line]) -> Iterator[Line]:
    uses = Counter(name for line in lines for name in line.names())
    for line in lines:
        if _is_bare_string(line) or _assigns_unused_name(line, uses):
            dead = (
                replace(token, live=False) if token.kind == "string" else token
                for token in line.tokens
            )
            yield Line(tuple(dead), line.indent)
        else:
            yield line


def _is_bare_string(line: Line) -> bool:
    return all(token.kind == "string" or token.text in {"(", ")"} for token in line.tokens)


def _assigns_unused_name(line: Line, uses: Counter[str]) -> bool:
    """Whether the line gives strings, and nothing that calls, to a name that is used nowhere."""
    first, *rest = line.tokens
    operators = {token.text for token in rest if token.kind == "operator"}
    return (
        first.kind == "name"
        and uses[first.text] == 1
        and bool(rest)
        and rest[0].text in {"=", ":"}
        and "=" in operators
        and not any(
            opening.text == "(" and callee.kind == "name" for callee, opening in pairwise(rest)
        )
    )
