"""Whole programs, run in the sandbox: honest ones lose nothing, wrong ones what they break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.choose import AUTO, builtin_sandboxes, choose_sandbox
from pytest_llmbench.sandbox.protocol import Sandbox
from todo_judging import ANSWERS, FUNCTIONAL, find_lost_checks

HONEST = sorted((ANSWERS / "honest").glob("*.txt"))

COMPLETING = {"complete one", "list completed"}
DELETING = {"delete one", "list remaining"}
LISTING = {"list both", "list completed", "list remaining"}
ALL = set(FUNCTIONAL)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    chosen = choose_sandbox(AUTO, builtin_sandboxes())
    yield chosen
    chosen.close()


@pytest.mark.parametrize("path", HONEST, ids=[path.stem for path in HONEST])
def test_an_honest_program_loses_nothing(sandbox: Sandbox, path: Path) -> None:
    assert find_lost_checks(sandbox, path.read_text(encoding="utf-8")) == {}


def test_there_are_many_honest_programs() -> None:
    assert len(HONEST) >= 25


@dataclass(frozen=True, slots=True)
class Fault:
    """An honest program with one piece of it replaced."""

    name: str
    program: str
    old: str
    new: str
    lost: frozenset[str]

    def source(self) -> str:
        """The broken program; the piece must be there exactly once."""
        honest = (ANSWERS / "honest" / f"{self.program}.txt").read_text(encoding="utf-8")
        assert honest.count(self.old) == 1, f"{self.program} holds {self.old!r} not once"
        return honest.replace(self.old, self.new)


def fault(name: str, program: str, old: str, new: str, lost: set[str]) -> Fault:
    return Fault(name, program, old, new, frozenset(lost))


FAULTS = [
    fault(
        "completes everything",
        "argv_if_elif",
        'con.execute("update todo set done=1 where id=?", (int(sys.argv[2]),))',
        'con.execute("update todo set done=1")',
        COMPLETING,
    ),
    fault(
        "completes everything, and shows it in sections",
        "dict_dispatch_sections",
        "conn.execute(\"UPDATE todos SET status = 'done' WHERE id = ?\", (todo_id,))",
        "conn.execute(\"UPDATE todos SET status = 'done'\")",
        COMPLETING,
    ),
    fault(
        "completes everything, and hides it",
        "soft_delete_hidden_done",
        'SET completed_at = ? WHERE id = ? AND deleted_at IS NULL", (now(), todo_id))',
        'SET completed_at = ?", (now(),))',
        COMPLETING | {"list remaining"},  # nothing remains to be seen
    ),
    fault(
        "completes everything, on cards",
        "cards",
        'updated_at = ? WHERE id = ?", (stamp, todo_id))',
        'updated_at = ?", (stamp,))',
        COMPLETING,
    ),
    fault(
        "completes the next todo",
        "argparse_class_table",
        "(datetime.now().isoformat(), todo_id))",
        "(datetime.now().isoformat(), todo_id + 1))",
        COMPLETING,
    ),
    fault(
        "completes the todo before, on cards",
        "cards",
        "manager.complete_todo(args.id)",
        "manager.complete_todo(args.id - 1)",
        COMPLETING,
    ),
    fault(
        "completes the next todo, in sections",
        "done_table",
        'row = c.execute("SELECT * FROM pending WHERE id = ?", (a.id,)).fetchone()',
        "a.id = int(a.id) + 1; "
        'row = c.execute("SELECT * FROM pending WHERE id = ?", (a.id,)).fetchone()',
        COMPLETING,
    ),
    fault(
        "completes the first todo, whichever is asked",
        "positions_not_ids",
        "            if op ==",
        '            if op == "complete": rowid = rows(con)[0][0]\n            if op ==',
        COMPLETING,
    ),
    fault(
        "completes nothing and says that it did",
        "match_statement",
        'conn.execute("UPDATE tasks SET completed_at = ? WHERE id = ?", '
        "(dt.datetime.now().isoformat(), task_id))",
        'print("Completed", task_id)',
        COMPLETING,
    ),
    fault(
        "deletes what it shall complete",
        "soft_delete_hidden_done",
        'conn.execute("UPDATE todos SET completed_at = ? WHERE id = ? AND deleted_at IS NULL", '
        "(now(), todo_id))",
        'conn.execute("DELETE FROM todos WHERE id = ?", (todo_id,))',
        COMPLETING,
    ),
    fault(
        "crashes after completing, behind exit code 0",
        "short_hex_ids",
        '            sys.exit(f"unknown id {args.id}")\n\n\ndef cmd_delete',
        '            sys.exit(f"unknown id {args.id}")\n'
        "    import traceback\n"
        "    try:\n"
        "        print('completed' + 1)\n"
        "    except TypeError:\n"
        "        traceback.print_exc()\n\n\ndef cmd_delete",
        {"complete one"},
    ),
    fault(
        "crashes before completing, behind exit code 0",
        "printed_tuples",
        'if c == "complete": ',
        'if c == "complete": import traceback; traceback.print_stack(); '
        'print("Traceback (most recent call last)"); return\n        if c == "complete": ',
        COMPLETING,
    ),
    fault(
        "lists nothing of what is completed",
        "enum_async",
        "{done_at or 'not yet'}",
        "{'?'}",
        {"list completed"},
    ),
    fault(
        "deletes everything",
        "argparse_class_table",
        'self.conn.execute("DELETE FROM todos WHERE id = ?", (todo_id,))',
        'self.conn.execute("DELETE FROM todos")',
        DELETING,
    ),
    fault(
        "deletes the next todo",
        "cut_titles_ansi",
        'conn.execute("DELETE FROM todos WHERE id = ?", (args.id,))',
        'conn.execute("DELETE FROM todos WHERE id = ?", (args.id + 1,))',
        DELETING,
    ),
    fault(
        "deletes the first todo, whichever is asked",
        "wrapped_titles",
        'con.execute("DELETE FROM todo WHERE id = ?", rest)',
        'con.execute("DELETE FROM todo WHERE id = (SELECT min(id) FROM todo)")',
        DELETING,
    ),
    fault(
        "deletes the last todo, whichever is asked",
        "json_output",
        'conn.execute("DELETE FROM todos WHERE id = ?", (sys.argv[2],))',
        'conn.execute("DELETE FROM todos WHERE id = (SELECT max(id) FROM todos)")',
        DELETING,
    ),
    fault(
        "deletes nothing",
        "kept_by_day",
        'q("delete from todo where id = ?", n)',
        'q("delete from todo where id = -1")',
        DELETING,
    ),
    fault(
        "completes what it shall delete",
        "status_first_numbers",
        "conn.execute('DELETE FROM todos WHERE id = ?', (todo_id,))",
        "conn.execute('UPDATE todos SET done = 1 WHERE id = ?', (todo_id,))",
        DELETING,
    ),
    fault(
        "lists deleted todos",
        "soft_delete_hidden_done",
        "FROM todos WHERE deleted_at IS NULL",
        "FROM todos WHERE id > 0",
        {"list remaining"},
    ),
    fault(
        "lists fixed strings",
        "silent_functions",
        'for number, body, finished, created in db.execute("SELECT * FROM entries '
        'ORDER BY number DESC"):',
        "for number, body, finished, created in [(1, 'Buy groceries', 1, 0), "
        "(2, 'Call mom', 0, 0)]:",
        LISTING,
    ),
    fault(
        "lists only the newest",
        "short_hex_ids",
        "ORDER BY at DESC",
        "ORDER BY at DESC LIMIT 1",
        LISTING,
    ),
    fault(
        "crashes in its list",
        "cards",
        'print("ID:      ", todo_id)',
        'print("ID:      " + todo_id)',
        LISTING,
    ),
    fault(
        "crashes in its list as soon as something is completed",
        "soft_delete_hidden_done",
        "{completed or '-'}",
        "{completed or '-'}\" + (\"\" if len(conn.execute('SELECT 1 FROM todos WHERE "
        "completed_at IS NULL').fetchall()) > 3 or todo_id < 3 else 1) + f\"",
        {"list completed", "list remaining"},
    ),
    fault(
        "hangs in its list",
        "flags",
        'print("%-4s %-40s %s" % ("ID", "Task", "State"))',
        "while True: pass",
        LISTING,
    ),
    fault(
        "adds without committing",
        "uuid_prefix_ids",
        "datetime.datetime.now().ctime()))\n        self.c.commit()",
        "datetime.datetime.now().ctime()))",
        ALL,
    ),
    fault(
        "keeps its todos in memory",
        "argparse_class_table",
        "sqlite3.connect(path)",
        'sqlite3.connect(":memory:")',
        ALL,
    ),
    fault(
        "adds the first word alone",
        "by_title",
        '" ".join(sys.argv[2:])',
        "sys.argv[2].split()[0] if sys.argv[2:] else ''",
        ALL,
    ),
    fault(
        "keeps only the todo that was added last",
        "json_output",
        '        if command == "add":\n',
        '        if command == "add":\n            conn.execute("DELETE FROM todos")\n',
        ALL - {"add first"},
    ),
    fault(
        "exits with 1 after adding",
        "silent_functions",
        'db.execute("INSERT INTO entries (body) VALUES (?)", [body])',
        'db.execute("INSERT INTO entries (body) VALUES (?)", [body])\n    sys.exit(1)',
        {"add first", "add second"},
    ),
    fault(
        "hangs when it adds",
        "argv_if_elif",
        'if cmd == "add":\n',
        'if cmd == "add":\n            while True: pass\n',
        ALL,
    ),
    fault(
        "asks for the title",
        "dict_dispatch_sections",
        '    conn.execute("INSERT INTO todos (text) VALUES (?)", (" ".join(words),))',
        '    title = input("Title: ")\n'
        '    conn.execute("INSERT INTO todos (text) VALUES (?)", (title,))',
        ALL,
    ),
]


@pytest.mark.parametrize("broken", FAULTS, ids=[each.name for each in FAULTS])
def test_a_wrong_program_loses_what_it_breaks(sandbox: Sandbox, broken: Fault) -> None:
    assert set(find_lost_checks(sandbox, broken.source(), time_s=2.0)) == broken.lost


FAKE = """
import sys
if len(sys.argv) > 1:
    print({
        "add": "✅ Added todo #1",
        "list": "[x] 1. Buy groceries\\n[ ] 2. Call mom",
        "complete": "✅ Completed todo #1",
        "delete": "🗑 Deleted todo #1",
    }[sys.argv[1]])
"""


def test_a_program_of_fixed_strings_earns_nothing_for_what_it_does(sandbox: Sandbox) -> None:
    assert set(find_lost_checks(sandbox, FAKE)) >= ALL
