"""The seven functional checks: one story of a few todos, told to a program.

A command is judged by what it did, as the list shows it, or else the database; the list is judged
by whether it shows what was done. So a program loses the operation that is broken, and not the
others with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_llmbench.suites.round1.listing import find_marked
from pytest_llmbench.suites.round1.program import Step, TodoProgram, View
from pytest_llmbench.suites.round1.stored import StoredRow, find_changed, find_rows

TODO_COUNT = 4

_EXCERPT_LINES = 12
_EXCERPT_CHARS = 600
_DELETION_COLUMNS = ("delet", "remov", "archiv", "activ", "hidden", "status", "state")


def demand(condition: object, message: str | None) -> None:
    """Fail with this message alone: pytest would add the values that an `assert` looked at."""
    if not condition:
        raise AssertionError(message)


@dataclass(frozen=True, slots=True)
class Change:
    """A todo completed or deleted, and what was to be seen before and after."""

    title: str
    before: View
    step: Step

    @property
    def after(self) -> View:
        """What is to be seen after it."""
        return self.step.after


@dataclass(slots=True)
class TodoTrial:
    """The checks, in their order; each method raises AssertionError with the reason.

    There are four todos. The one that is completed and the one that is deleted stand in the
    middle, so that a program that always takes the first or the last is found out.
    """

    program: TodoProgram
    _latest: View | None = None
    _completion: Change | None = None
    _deletion: Change | None = None

    def add_first(self) -> None:
        """Add a todo."""
        self._add(self.program.titles[0])

    def add_second(self) -> None:
        """Add another one."""
        self._add(self.program.titles[1])

    def list_both(self) -> None:
        """The list shows both."""
        view = self._look()
        _demand_list(view)
        for title in self.program.titles[:2]:
            demand(view.lists(title), f"the list does not show “{title}”:\n{_excerpt(view)}")

    def complete_one(self) -> None:
        """Add two more, then complete the second."""
        title = self.program.titles[1]
        demand(self._look().knows(title), f"“{title}” could not be added, so not completed")
        for more in self.program.titles[2:]:
            self._latest = self.program.add(more).after
        self._completion = self._change("complete", title)
        complaint = complain_of_completion(self._completion)
        demand(
            complaint is None or is_stored_as_completed(self._completion, self.program.titles),
            complaint,
        )
        _demand_clean(self._completion.step)

    def list_completed(self) -> None:
        """The list tells the completed todo from the others, or leaves it out."""
        if self._completion is None:
            raise AssertionError("nothing could be completed")
        _demand_list(self._completion.after)
        complaint = complain_of_completion(self._completion)
        demand(complaint is None, complaint)

    def delete_one(self) -> None:
        """Delete the third; the first where the third could not be added."""
        view = self._look()
        candidates = (self.program.titles[2], self.program.titles[0])
        title = next((each for each in candidates if view.knows(each)), None)
        if title is None:
            raise AssertionError("there is no todo left that could be deleted")
        self._deletion = self._change("delete", title)
        complaint = complain_of_deletion(self._deletion)
        demand(
            complaint is None or is_stored_as_deleted(self._deletion, self.program.titles),
            complaint,
        )
        _demand_clean(self._deletion.step)

    def list_remaining(self) -> None:
        """The list no longer shows the deleted todo, and shows all others that it showed."""
        if self._deletion is None:
            raise AssertionError("nothing could be deleted")
        _demand_list(self._deletion.after)
        complaint = complain_of_deletion(self._deletion)
        demand(complaint is None, complaint)

    def _look(self) -> View:
        self._latest = self._latest or self.program.look()
        return self._latest

    def _add(self, title: str) -> None:
        before = self._latest
        step = self.program.add(title)
        self._latest = step.after
        if not step.after.knows(title):
            fault = step.outcome.find_fault() or step.after.outcome.find_fault()
            raise AssertionError(
                fault or f"{_tell(step)} left no trace in the list:\n{_excerpt(step.after)}"
            )
        known = [each for each in self.program.titles if before and before.knows(each)]
        if not all(step.after.lists(each) for each in known):
            self._latest = self.program.look_closely(step.after)
        for earlier in known:
            demand(self._latest.knows(earlier), f"{_tell(step)} took “{earlier}” away")
        _demand_clean(step)

    def _change(self, command: str, title: str) -> Change:
        before = self._look()
        if not before.rows:
            before = self.program.look_closely(before)
        step = self.program.change(command, title, before)
        self._latest = step.after
        return Change(title, before, step)


def complain_of_completion(change: Change) -> str | None:
    """What is wrong with the list after a todo was completed; None when nothing is."""
    title, before, after = change.title, change.before, change.after
    complaint = _complain_of_list(change) or _complain_of_lost(change)
    if complaint:
        return complaint
    if not after.lists(title):
        if find_rows(before.rows, title) and not find_rows(after.rows, title):
            return f"{_tell(change.step)} deleted “{title}”"
        return None if before.lists(title) else f"the list never showed “{title}”"
    if title not in find_marked(before.listing, after.listing):
        return (
            f"{_tell(change.step)} did not mark “{title}” alone; the list before:\n"
            f"{_excerpt(before)}\nand after:\n{_excerpt(after)}"
        )
    return None


def complain_of_deletion(change: Change) -> str | None:
    """What is wrong with the list after a todo was deleted; None when nothing is."""
    complaint = _complain_of_list(change) or _complain_of_lost(change)
    if complaint:
        return complaint
    if change.after.lists(change.title):
        return (
            f"after {_tell(change.step)} “{change.title}” is still in the list:\n"
            f"{_excerpt(change.after)}"
        )
    if not change.before.lists(change.title):
        return f"the list never showed “{change.title}”"
    return None


def is_stored_as_completed(change: Change, titles: Sequence[str]) -> bool:
    """Whether the todo's row changed in the database, and no other todo's did."""
    return _changed_alone(change, titles) and bool(find_rows(change.after.rows, change.title))


def is_stored_as_deleted(change: Change, titles: Sequence[str]) -> bool:
    """Whether the todo's row is gone from the database, or flagged, and no other changed."""
    left = find_rows(change.after.rows, change.title)
    columns = _changed_columns(find_rows(change.before.rows, change.title), left)
    flagged = any(word in column for column in columns for word in _DELETION_COLUMNS)
    return _changed_alone(change, titles) and (not left or flagged)


def _changed_alone(change: Change, titles: Sequence[str]) -> bool:
    changed = find_changed(change.before.rows, change.after.rows, titles)
    return changed == {change.title} and bool(find_rows(change.before.rows, change.title))


def _changed_columns(before: Sequence[StoredRow], after: Sequence[StoredRow]) -> set[str]:
    old = {value for row in before for value in row.values}
    return {column.casefold() for row in after for column, value in set(row.values) - old}


def _complain_of_list(change: Change) -> str | None:
    return change.after.outcome.find_fault() or change.before.outcome.find_fault()


def _complain_of_lost(change: Change) -> str | None:
    """Another todo that was in the list before and no longer is."""
    for title in change.before.listing.entries:
        if title != change.title and not change.after.lists(title):
            return (
                f"after {_tell(change.step)} “{title}” is gone from the list:\n"
                f"{_excerpt(change.after)}"
            )
    return None


def _demand_clean(step: Step) -> None:
    fault = step.outcome.find_fault()
    demand(fault is None, fault)


def _demand_list(view: View) -> None:
    fault = view.outcome.find_fault()
    demand(fault is None, fault)


def _tell(step: Step) -> str:
    return f"`{' '.join(step.outcome.argv)}`"


def _excerpt(view: View) -> str:
    lines = view.listing.output.strip("\n").splitlines() or ["(nothing)"]
    kept = lines[:_EXCERPT_LINES]
    if len(lines) > len(kept):
        kept.append(f"… {len(lines) - len(kept)} more lines")
    return "\n".join(kept)[:_EXCERPT_CHARS]
