"""Which of the ten features a source has, found in its tokens, whether it parses or not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import TypeAlias

from pytest_llmbench.suites.round1.code_tokens import Line, Token, read_lines, split_words

Lines: TypeAlias = Sequence[Line]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What programs call the variable, the field or the list that holds the command just given.
_COMMAND_WORDS = _words(
    "command cmd action argv args arg argument arguments choice op operation subcommand sub verb "
    "parts part tokens token option mode opt input line name func user"
)
_STATE_WORDS = _words("status state row filter completed done todo task item view")
_REGISTRARS = _words("add_parser add_argument command add_command register option")
_PRINTERS = _words("print write echo")

_COMMAND_PREFIXES = _words("do cmd command handle handler run on action todo task perform")
_OBJECTS = _words(
    "todo todos task tasks item items entry entries all list pending reminder reminders"
)
_PREDICATES = _words("is has get was can should not un show list print format count")
_PLUMBING = _words(
    "argument arguments parser parsers subparser subparsers column columns option options command "
    "commands handler handlers table tables connection schema database db"
)

_INSERT = re.compile(r"(?i)\b(?:insert\s+(?:or\s+\w+\s+)?|replace\s+)into\b")
_SELECT = re.compile(
    r"(?is)\bselect\b(?!\s*count\b).*\bfrom\b(?!\s+sqlite_)(?!.*\bwhere\s+\w*id\s*=)"
)
_DELETE = re.compile(r"(?i)\bdelete\s+from\b|\bset\s+(?:is_)?deleted(?:_at)?\s*=")
_STATE_COLUMN = r"(?:is_|was_)?(?:completed|complete|done|finished|status|state)(?:_at|_on|_date)?"
_COMPLETE = re.compile(rf"(?is)\bupdate\b.*\bset\b.*\b{_STATE_COLUMN}\s*=")
_SQL_STATE = re.compile(
    rf"(?is)\b(?:create\s+table|alter\s+table|update|insert|select)\b.*\b{_STATE_COLUMN}\b"
)
_SQL_CLOCK = re.compile(
    r"(?i)\bcurrent_(?:timestamp|date|time)\b"
    r"|\b(?:datetime|date|time|strftime|julianday|unixepoch)\s*\([^)]*'?now'?"
)

_WIDTH = re.compile(r"^(?:.?[<>^]|0?[1-9])")
_OLD_WIDTH = re.compile(r"%-?[1-9]\d*(?:\.\d+)?[sdf]|\{[\w.\[\]]*(?:![rsa])?:(?:.?[<>^]|0?[1-9])")
_DECORATION = re.compile(
    r"[\u2190-\u21ff\u2500-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff]"  # arrows, boxes, marks, emoji
    r"|\\(?:u2[1-7b][0-9a-f]{2}|U0001f[3-9a-f]|N\{)"  # the same, escaped
    r"|\\(?:033|x1b|u001b|e)\["  # colours
    r"|\[[ xX*+-]\]"  # check boxes
    r"|([-=_*~#+.])\1{4}"  # rules
)
_LAYOUT_CALLS = _words(
    "ljust rjust center expandtabs textwrap shorten tabulate PrettyTable Console colorama "
    "termcolor colored cprint texttable"
)


def find_features(sources: Iterable[str]) -> Mapping[str, bool]:
    """Feature → whether the program has it, in the order in which they are reported."""
    lines = [line for source in sources for line in read_lines(source)]
    return MappingProxyType({name: find(lines) for name, find in _FINDERS.items()})


def _has_sqlite(lines: Lines) -> bool:
    imported = any(
        line.tokens[0].text in {"import", "from"}
        and {"sqlite3", "aiosqlite", "sqlalchemy", "peewee"} & set(line.names())
        for line in lines
    )
    opened = {"connect", "create_engine", "SqliteDatabase"}
    return imported and any(opened & set(line.names()) for line in lines if not _imports(line))


def _has_add(lines: Lines) -> bool:
    return (
        _dispatches_on(lines, "add")
        or any(_is_named_for(words, {"add"}, {"create", "insert", "new"}) for words in _defs(lines))
        or _has_sql(lines, _INSERT)
    )


def _has_list(lines: Lines) -> bool:
    verbs = {"show", "display", "view", "print", "render"}
    return (
        _dispatches_on(lines, "list")
        or any(_is_named_for(words, {"list"}, verbs) for words in _defs(lines))
        or _has_sql(lines, _SELECT)
    )


def _has_complete(lines: Lines) -> bool:
    return (
        _dispatches_on(lines, "complete")
        or any(_is_completion(words) for words in _defs(lines))
        or _has_sql(lines, _COMPLETE)
    )


def _has_delete(lines: Lines) -> bool:
    return (
        _dispatches_on(lines, "delete")
        or any(_is_named_for(words, {"delete", "remove"}, {"del", "rm"}) for words in _defs(lines))
        or _has_sql(lines, _DELETE)
    )


def _has_timestamps(lines: Lines) -> bool:
    """The program reads a clock, its own or the database's."""
    return _has_sql(lines, _SQL_CLOCK) or any(_reads_clock(line) for line in lines)


def _has_completion(lines: Lines) -> bool:
    """The program keeps, for each todo, whether it is done."""
    states = {"completed", "done", "finished"}
    return _has_sql(lines, _SQL_STATE) or any(
        states & line.words()
        or any(token.text.lower() in states for token in line.strings() if _is_key(line, token))
        for line in lines
    )


def _has_error_handling(lines: Lines) -> bool:
    """Something is caught, refused or found missing, and the program deals with it."""
    return any(
        line.tokens[0].text in {"except", "raise"}
        or _exits_with_error(line)
        or {"rowcount", "suppress"} & set(line.names())
        or _calls(line, "error", of="parser")
        for line in lines
    )


def _has_main_block(lines: Lines) -> bool:
    return any(
        line.indent == 0
        and line.tokens[0].text == "if"
        and "__name__" in line.names()
        and any(token.text == "==" for token in line.tokens)
        and any(token.text == "__main__" for token in line.strings())
        for line in lines
    )


def _has_pretty_output(lines: Lines) -> bool:
    """Some effort on the layout beyond printing rows as they come."""
    return any(
        any(_is_decorated(token) for token in line.strings())
        or any(_repeats_symbol(*pair) for pair in pairwise(line.tokens))
        or _LAYOUT_CALLS & set(line.names())
        or {"dumps", "indent"} <= set(line.names())
        or ("rich" in line.names() and _imports(line))
        for line in lines
    ) or any(_prints_labelled_row(line) for line in _loop_bodies(lines))


_FINDERS: Mapping[str, Callable[[Lines], bool]] = MappingProxyType(
    {
        "sqlite": _has_sqlite,
        "add": _has_add,
        "list": _has_list,
        "complete": _has_complete,
        "delete": _has_delete,
        "timestamps": _has_timestamps,
        "completion": _has_completion,
        "error handling": _has_error_handling,
        "main block": _has_main_block,
        "pretty output": _has_pretty_output,
    }
)

FEATURES = tuple(_FINDERS)

WHAT_IS_MISSING: Mapping[str, str] = MappingProxyType(
    {
        "sqlite": "no SQLite database is opened",
        "add": "no `add` command: none is dispatched, defined, or done in SQL",
        "list": "no `list` command: none is dispatched, defined, or done in SQL",
        "complete": "no `complete` command: none is dispatched, defined, or done in SQL",
        "delete": "no `delete` command: none is dispatched, defined, or done in SQL",
        "timestamps": "no clock is read, neither in Python nor in SQL",
        "completion": "nothing keeps whether a todo is done",
        "error handling": "nothing is caught, refused or found missing",
        "main block": 'no `if __name__ == "__main__":` at the top level',
        "pretty output": "rows are printed as they come: no widths, rules, marks, colours, labels",
    }
)


def _imports(line: Line) -> bool:
    return line.tokens[0].text in {"import", "from"}


def _has_sql(lines: Lines, pattern: re.Pattern[str]) -> bool:
    return any(
        pattern.search(token.text)
        for line in lines
        if not _prints(line)
        for token in line.strings()
    )


def _prints(line: Line) -> bool:
    return line.tokens[0].text in _PRINTERS


def _calls(line: Line, function: str, *, of: str) -> bool:
    names = line.names()
    return any(of in split_words(owner) and called == function for owner, called in pairwise(names))


def _defs(lines: Lines) -> list[list[str]]:
    """The words of each function's or class's name."""
    return [
        split_words(name.text)
        for line in lines
        for keyword, name in pairwise(line.tokens)
        if keyword.text in {"def", "class"} and name.kind == "name"
    ]


def _is_named_for(words: list[str], plain: set[str], with_object: set[str]) -> bool:
    """Whether a name such as `do_add`, `addTodo` or `create_task` names the operation.

    The `plain` verbs stand for themselves; those `with_object` need a todo to work on.
    """
    if not words or words[0] in _PREDICATES - plain or _PLUMBING & set(words):
        return False
    verb, *rest = words[1:] if words[0] in _COMMAND_PREFIXES and len(words) > 1 else words
    if verb in plain:
        return True
    return verb in with_object and (not rest or bool(_OBJECTS & set(rest)))


def _is_completion(words: list[str]) -> bool:
    if not words or words[0] in _PREDICATES:
        return False
    verb, *rest = words[1:] if words[0] in _COMMAND_PREFIXES and len(words) > 1 else words
    states = {"complete", "completed", "completion", "done", "finished"}
    if verb in {"mark", "set", "toggle", "update"}:
        return bool(states & set(rest))
    return verb == "complete" or (verb == "finish" and bool(_OBJECTS & set(rest)))


def _dispatches_on(lines: Lines, command: str) -> bool:
    return any(
        token.text.lstrip("-").casefold() == command and _selects_command(line, position)
        for line in lines
        for position, token in enumerate(line.tokens)
        if token.kind == "string" and token.live
    )


def _selects_command(line: Line, position: int) -> bool:
    """Whether the string at `position` stands where a program chooses what to do."""
    before = line.tokens[position - 1].text if position else ""
    after = line.tokens[position + 1].text if position + 1 < len(line.tokens) else ""
    if line.tokens[0].text == "case" or "choices" in line.names():
        return True
    if before in {"(", ","} and _callee(line, position) in _REGISTRARS:
        return True
    if before in {"{", ","} and after == ":":
        return _is_callable_value(line, position + 2)
    operand = {word for name in _compared_names(line, position) for word in split_words(name)}
    return bool(_COMMAND_WORDS & operand) and not _STATE_WORDS & operand


def _compared_names(line: Line, position: int) -> list[str]:
    """The names in what the string at `position` is compared with by `==` or `in`."""
    tokens = line.tokens
    if position + 1 < len(tokens) and tokens[position + 1].text == "==":
        return _operand_names(tokens[position + 2 :])
    for index in range(position - 1, -1, -1):
        if tokens[index].text in {"==", "in"}:
            return _operand_names(tokens[:index][::-1])
        if tokens[index].kind != "string" and tokens[index].text not in {"(", "[", "{", ","}:
            break
    return []


def _operand_names(tokens: Iterable[Token]) -> list[str]:
    names = []
    for token in tokens:
        if token.kind == "keyword" or token.text in {"=", ":=", ":"}:
            break
        if token.kind == "name":
            names.append(token.text)
    return names


def _callee(line: Line, position: int) -> str:
    """The function whose arguments the token at `position` stands among."""
    depth = 0
    for index in range(position - 1, 0, -1):
        text = line.tokens[index].text
        depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text, 0)
        if depth < 0:
            return line.tokens[index - 1].text
    return ""


def _is_callable_value(line: Line, position: int) -> bool:
    return position < len(line.tokens) and (
        line.tokens[position].kind == "name" or line.tokens[position].text in {"lambda", "(", "["}
    )


def _is_key(line: Line, token: Token) -> bool:
    """Whether a string is an index (`row["done"]`) or a key of a dict (`{"done": False}`)."""
    position = next(index for index, each in enumerate(line.tokens) if each is token)
    before = line.tokens[position - 1].text if position else ""
    after = line.tokens[position + 1].text if position + 1 < len(line.tokens) else ""
    return (before == "[" and after == "]") or (before in {"{", ","} and after == ":")


def _reads_clock(line: Line) -> bool:
    names = line.names()
    clocks = {"now", "utcnow", "today", "localtime", "gmtime", "ctime", "asctime", "time_ns"}
    return not _imports(line) and (
        bool(clocks & set(names))
        or any(pair in {("time", "time"), ("time", "strftime")} for pair in pairwise(names))
    )


def _exits_with_error(line: Line) -> bool:
    """`sys.exit(1)`, `exit("no such todo")`, `SystemExit(2)`: anything but a plain end."""
    for callee, opening, argument in zip(
        line.tokens, line.tokens[1:], line.tokens[2:], strict=False
    ):
        if callee.text in {"exit", "SystemExit", "_exit"} and opening.text == "(":
            return argument.kind == "string" or (argument.kind == "number" and argument.text != "0")
    return False


def _is_decorated(token: Token) -> bool:
    return (
        any(_WIDTH.match(spec) for spec in token.format_specs)
        or _OLD_WIDTH.search(token.text) is not None
        or _DECORATION.search(token.text) is not None
    )


def _repeats_symbol(first: Token, second: Token) -> bool:
    """The beginning of `"-" * 40`, or the end of `40 * "-"`."""
    string, operator = (first, second) if first.kind == "string" else (second, first)
    return (
        string.kind == "string"
        and operator.text == "*"
        and 1 <= len(string.text.strip()) <= 6
        and not string.text.strip().isalnum()
    )


def _loop_bodies(lines: Lines) -> list[Line]:
    """The lines inside of a `for`, and those that hold one."""
    bodies = []
    loops: list[int] = []
    for line in lines:
        loops = [indent for indent in loops if indent < line.indent]
        if loops or any(token.text == "for" for token in line.tokens):
            bodies.append(line)
        if line.tokens[0].text == "for":
            loops.append(line.indent)
    return bodies


def _prints_labelled_row(line: Line) -> bool:
    """Whether fields are set into a text of the program's own, or with a mark that it chose."""
    chooses = any(token.text == "else" for token in line.tokens)
    return any(
        token.fields and (chooses or re.search(r"[^\s{}]", token.text.replace("{}", "")))
        for token in line.strings()
    )
