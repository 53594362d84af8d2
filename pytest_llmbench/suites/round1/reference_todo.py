"""A todo list on the command line, kept in a SQLite database."""

# ruff: noqa: T201 -- a command line prints

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS todos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL CHECK (trim(title) != ''),
    created_at TEXT NOT NULL,
    completed_at TEXT
)
"""


class TodoError(Exception):
    """What the user asked for cannot be done."""


class TodoList:
    """The todos in one database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.execute(SCHEMA)

    def add(self, title: str) -> int:
        """Store a todo and return its id."""
        if not title.strip():
            raise TodoError("a todo needs a title")
        cursor = self._connection.execute(
            "INSERT INTO todos (title, created_at) VALUES (?, ?)", (title, _read_clock())
        )
        return cursor.lastrowid or 0

    def list(self) -> list[tuple[int, str, str, str | None]]:
        """All todos: id, title, when created, when completed or None."""
        return self._connection.execute(
            "SELECT id, title, created_at, completed_at FROM todos ORDER BY id"
        ).fetchall()

    def complete(self, todo_id: int) -> None:
        """Mark a todo as completed; one that is already stays as it was."""
        self._change(
            "UPDATE todos SET completed_at = coalesce(completed_at, ?) WHERE id = ?",
            _read_clock(),
            todo_id,
        )

    def delete(self, todo_id: int) -> None:
        """Remove a todo."""
        self._change("DELETE FROM todos WHERE id = ?", todo_id)

    def _change(self, statement: str, *parameters: str | int) -> None:
        if self._connection.execute(statement, parameters).rowcount == 0:
            raise TodoError(f"there is no todo {parameters[-1]}")


def format_table(todos: Sequence[tuple[int, str, str, str | None]]) -> str:
    """The todos as an aligned table."""
    if not todos:
        return "Nothing to do."
    width = max(len("Title"), *(len(title) for _, title, *_ in todos))
    lines = [f"{'ID':>4}  Done  {'Title':<{width}}  {'Created':<19}  Completed"]
    lines.append("-" * len(lines[0]))
    for todo_id, title, created_at, completed_at in todos:
        done = "[x]" if completed_at else "[ ]"
        line = f"{todo_id:>4}  {done:<4}  {title:<{width}}  {created_at:<19}  {completed_at or ''}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _read_clock() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")


def find_database() -> Path:
    """Where the todos are kept: below XDG_DATA_HOME, or its usual place."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    folder = Path(home, "todo")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "todo.db"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Keep a list of things to do.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("add", help="add a todo").add_argument("title", nargs="+")
    commands.add_parser("list", help="list all todos")
    for name in ("complete", "delete"):
        command = commands.add_parser(name, help=f"{name} a todo")
        command.add_argument("id", type=int, help="its number in the list")
    return parser


def run(arguments: argparse.Namespace, todos: TodoList) -> None:
    """Do what the command line says."""
    match arguments.command:
        case "add":
            title = " ".join(arguments.title)
            print(f"Added #{todos.add(title)}: {title}")
        case "list":
            print(format_table(todos.list()))
        case "complete":
            todos.complete(arguments.id)
            print(f"Completed #{arguments.id}")
        case "delete":
            todos.delete(arguments.id)
            print(f"Deleted #{arguments.id}")


def main() -> int:
    """Run one command; 1 when it could not be done."""
    arguments = build_parser().parse_args()
    try:
        with closing(sqlite3.connect(find_database())) as connection, connection:
            run(arguments, TodoList(connection))
    except (TodoError, sqlite3.Error, OSError) as error:
        print(f"todo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
