"""What a todo program has in its SQLite databases: the second witness, where its list fails.

A program whose list crashes, or shows what is not there, may still add, complete and delete as it
should. Then the database says so, and only the list loses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredRow:
    """One row of one table."""

    table: str
    """The database's path, the table's name."""
    values: tuple[tuple[str, Any], ...]
    """Column and value, in the table's order."""

    def holds(self, title: str) -> bool:
        """Whether a value of the row is this title."""
        wanted = " ".join(title.split()).casefold()
        return any(
            isinstance(value, str) and " ".join(value.split()).casefold() == wanted
            for _, value in self.values
        )

    def find_id(self) -> str | None:
        """The value of the column that is called an id, else of the first that is a number."""
        for column, value in self.values:
            if column.casefold() in {"id", "uuid", "uid", "todo_id", "task_id", "item_id"}:
                return str(value)
        return next((str(value) for _, value in self.values if isinstance(value, int)), None)


def parse_rows(report: str) -> tuple[StoredRow, ...]:
    """The rows that `database_probe` printed; none when its report is not whole."""
    try:
        tables = json.loads(report)
        return tuple(
            StoredRow(
                f"{table['path']}: {table['name']}",
                tuple(zip(table["columns"], row, strict=True)),
            )
            for table in tables
            for row in table["rows"]
        )
    except (ValueError, TypeError, KeyError):
        return ()


def find_rows(rows: Sequence[StoredRow], title: str) -> tuple[StoredRow, ...]:
    """All rows that hold the title, of every table."""
    return tuple(row for row in rows if row.holds(title))


def find_changed(
    before: Sequence[StoredRow], after: Sequence[StoredRow], titles: Sequence[str]
) -> frozenset[str]:
    """The titles whose rows are not what they were: changed, moved, come or gone."""
    return frozenset(
        title for title in titles if set(find_rows(before, title)) != set(find_rows(after, title))
    )
