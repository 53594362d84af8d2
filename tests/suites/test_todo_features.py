"""The ten features, found in whole and in broken code, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.suites.round1.features import FEATURES, WHAT_IS_MISSING, find_features
from todo_judging import ANSWERS

OPERATIONS = {"add", "list", "complete", "delete"}
HONEST = sorted((ANSWERS / "honest").glob("*.txt"))
CUT_OFF = "\nprint(f\"{x:<5} {y['"


def features(source: str) -> set[str]:
    return {name for name, present in find_features([source]).items() if present}


def test_every_feature_has_words_for_its_absence() -> None:
    assert set(WHAT_IS_MISSING) == set(FEATURES)
    assert len(FEATURES) == 10


def test_an_empty_program_has_no_feature() -> None:
    assert features("") == set()


def test_comments_docstrings_and_dead_strings_are_no_features() -> None:
    source = '''
"""A todo app: add, list, complete, delete. INSERT INTO todos, DELETE FROM todos.

if __name__ == "__main__":
    sqlite3.connect("x"), datetime.now(), try: except: print("─" * 40)
"""
# def add_todo(): sqlite3.connect("todo.db"); datetime.now()
# if __name__ == "__main__":
NOTES = "UPDATE todos SET completed = 1; SELECT * FROM todos; [x] {x:<5}"


def main():
    """def complete(): INSERT INTO todos; except ValueError: [x]"""
    "add"; "list"; "complete"; "delete"
    return 1  # "-" * 40
'''
    assert features(source) == set()


def test_commands_that_are_only_printed_are_no_commands() -> None:
    source = 'print("add"); print("complete")\nprint("usage: add, list, complete, delete")\n'
    assert features(source) & OPERATIONS == set()


@pytest.mark.parametrize(
    "source",
    [
        'c.execute("CREATE TABLE t (id, completed INTEGER DEFAULT 0)")',
        'status = "complete" if row["completed"] else "pending"',
        'if row["status"] == "complete":\n    pass',
        'if todo.completed or args.status == "complete":\n    pass',
        'marks = {"complete": "✓", "pending": " "}',
        "def show_completed(rows):\n    pass",
        "def is_complete(todo):\n    return todo.completed",
        "completed = [t for t in todos if t.completed]",
        'rows = c.execute("SELECT * FROM t WHERE completed = 1")',
        'print("Todo completed")',
    ],
)
def test_completed_is_not_the_complete_command(source: str) -> None:
    assert "complete" not in features(source)


@pytest.mark.parametrize("command", sorted(OPERATIONS))
@pytest.mark.parametrize(
    "style",
    [
        'subparsers.add_parser("{0}", help="x")',
        "sub.add_parser('{0}')",
        'if command == "{0}":\n    pass',
        "elif_ = 1\nif sys.argv[1] == '{0}': run()",
        'if cmd in ("{0}", "x"):\n    pass',
        'if "{0}" == args.command:\n    pass',
        'match sys.argv[1]:\n    case "{0}":\n        pass',
        'match argv:\n    case ["{0}", *rest]:\n        pass',
        'handlers = {{"{0}": run_it, "x": other}}\nhandlers[command]()',
        'handlers = {{\n    "x": lambda: 1,\n    "{0}": lambda: 2,\n}}\nhandlers[command]()',
        'parser.add_argument("command", choices=["x", "{0}"])',
        'parser.add_argument("-q", "--{0}", action="store_true")',
        '@app.command("{0}")\ndef _():\n    pass',
        "def {0}_todo(self, todo):\n    pass",
        "def {0}(title):\n    pass",
        "async def handle_{0}(title):\n    pass",
        "def cmd_{0}(args):\n    pass",
        "class App(cmd.Cmd):\n    def do_{0}(self, line):\n        pass",
        "class C:\n    def {0}Todo(self):\n        pass",
    ],
)
def test_a_command_may_be_offered_in_many_ways(style: str, command: str) -> None:
    source = style.format(command)
    assert features(source) & OPERATIONS == {command}
    assert command in features(source + CUT_OFF)


@pytest.mark.parametrize(
    ("sql", "command"),
    [
        ("INSERT INTO todos (title) VALUES (?)", "add"),
        ("insert or replace into todos values (?)", "add"),
        ("SELECT id, title FROM todos ORDER BY id", "list"),
        ("UPDATE todos SET done = 1 WHERE id = ?", "complete"),
        ("UPDATE todos SET updated = ?, status = 'x' WHERE id = ?", "complete"),
        ("DELETE FROM todos WHERE id = ?", "delete"),
        ("UPDATE todos SET deleted_at = ? WHERE id = ?", "delete"),
    ],
)
def test_a_menu_does_its_commands_in_sql(sql: str, command: str) -> None:
    assert features(f'connection.execute("{sql}", (x,))') & OPERATIONS == {command}


@pytest.mark.parametrize(
    "source",
    [
        "parser.add_argument('x')\nsub = parser.add_subparsers()",
        "def add_arguments(parser):\n    pass",
        "def create_table(c):\n    pass\ndef create_parser():\n    pass",
        "def show_menu():\n    pass\ndef print_help():\n    pass\ndef display_usage():\n    pass",
        "def get_list():\n    pass\nx = list(rows)",
        'c.execute("SELECT COUNT(*) FROM todos")\nc.execute("SELECT id FROM t WHERE id = ?")',
        "todos.delete\nlist.remove(x)\nitems.append(add)",
    ],
)
def test_plumbing_is_no_command(source: str) -> None:
    assert features(source) & OPERATIONS == set()


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nx = datetime.now()",
        "import datetime as dt\nx = dt.datetime.now(dt.timezone.utc)",
        "import time\nx = time.time()",
        "import time\nx = time.strftime('%Y')",
        "from datetime import date\nx = date.today()",
        'c.execute("CREATE TABLE t (created TIMESTAMP DEFAULT CURRENT_TIMESTAMP)")',
        "c.execute(\"INSERT INTO t VALUES (datetime('now'))\")",
        "c.execute(\"CREATE TABLE t (at INTEGER DEFAULT (strftime('%s', 'now')))\")",
    ],
)
def test_a_clock_makes_timestamps(source: str) -> None:
    assert "timestamps" in features(source)


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nimport time",
        'c.execute("CREATE TABLE t (created_at TEXT)")',
        "timestamp = None\nprint(timestamp)",
    ],
)
def test_a_column_or_an_import_alone_makes_no_timestamps(source: str) -> None:
    assert "timestamps" not in features(source)


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    x()\nexcept ValueError:\n    pass",
        "if not title:\n    sys.exit('a title is needed')",
        "if x:\n    sys.exit(1)",
        "raise SystemExit(2)",
        "raise ValueError(x)",
        "if cursor.rowcount == 0:\n    print('not found')",
        "parser.error('no such id')",
    ],
)
def test_errors_may_be_handled_in_many_ways(source: str) -> None:
    assert "error handling" in features(source)


@pytest.mark.parametrize(
    "source", ["sys.exit(main())", "sys.exit(0)", "exit()", "logging.error(x)", "error = 1"]
)
def test_a_plain_end_is_no_error_handling(source: str) -> None:
    assert "error handling" not in features(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if __name__ == '__main__':\n    main()", True),
        ('if "__main__" == __name__:\n    main()', True),
        ("if __name__ == '__main__': main()", True),
        ("def f():\n    if __name__ == '__main__':\n        main()", False),
        ("if name == '__main__':\n    main()", False),
        ("main()", False),
    ],
)
def test_the_main_block_stands_at_the_top_level(source: str, *, expected: bool) -> None:
    assert ("main block" in features(source)) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import sqlite3\nc = sqlite3.connect('x')", True),
        ("import sqlite3 as sq\nc = sq.connect('x')", True),
        ("from sqlite3 import connect\nc = connect('x')", True),
        ("import sqlite3", False),
        ("import json\njson.dump(todos, f)", False),
    ],
)
def test_sqlite_is_opened(source: str, *, expected: bool) -> None:
    assert ("sqlite" in features(source)) is expected


@pytest.mark.parametrize(
    "source",
    [
        'print(f"{x:<5} {y}")',
        'print(f"{x:>{width}}")',
        'print("{:<5} {}".format(x, y))',
        'print("%-20s %s" % (x, y))',
        "print(x.ljust(20))",
        'print("-" * 40)',
        "print(40 * '=')",
        'print("==========")',
        'print("✓", x)',
        'print("\\u2713", x)',
        'print("\\033[1mTodos\\033[0m")',
        'print("[x]" if done else "[ ]", title)',
        "from rich.table import Table",
        "from tabulate import tabulate\nprint(tabulate(rows))",
        "print(json.dumps(rows, indent=2))",
        'for i, t in rows:\n    print(f"{i}. {t}")',
        "for t, done in rows:\n    print(f\"{'x' if done else 'o'} {t}\")",
        'print("\\n".join(f"{i}: {t}" for i, t in rows))',
    ],
)
def test_some_effort_makes_pretty_output(source: str) -> None:
    assert "pretty output" in features(source)


@pytest.mark.parametrize(
    "source",
    [
        "for row in rows:\n    print(row)",
        "for i, t in rows:\n    print(i, t)",
        'for i, t in rows:\n    print(f"{i} {t}")',
        'print(f"Added {title}.")',
        'print(datetime.now().strftime("%Y-%m-%d"))',
        'print(f"{now:%Y-%m-%d}")',
        'print("Nothing to do")',
    ],
)
def test_rows_as_they_come_are_not_pretty(source: str) -> None:
    assert "pretty output" not in features(source)


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75, 0.9])
@pytest.mark.parametrize("path", HONEST, ids=[path.stem for path in HONEST])
def test_a_cut_program_has_no_more_features_than_the_whole(path: Path, part: float) -> None:
    source = path.read_text(encoding="utf-8")
    assert features(source[: int(len(source) * part)]) <= features(source)


PIECES = [
    *("def ", "add", "(", ")", ":", "\n", "    ", 'f"', '"', "{", "}", "'''", "x", "=", "#", "@"),
    *("if ", "==", "match ", "case ", "\\", "\0", "é", "for ", "in ", "lambda", ";"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=200))
def test_no_source_is_too_broken(source: str) -> None:
    assert set(find_features([source])) == set(FEATURES)
