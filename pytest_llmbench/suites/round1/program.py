"""A todo program under test: its commands given, its list and its database watched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pytest_llmbench.sandbox.protocol import ProgramResult
from pytest_llmbench.suites.round1.listing import Listing, read_listing
from pytest_llmbench.suites.round1.stored import StoredRow, find_changed, find_rows

MOST_IDS_TRIED = 4

_TRACEBACK = "Traceback (most recent call last)"
_QUESTION = re.compile(r"(?im)EOFError|EOF when reading|\?\s*$|\by(?:es)?/n(?:o)?\b|confirm")
_REQUIRED = re.compile(r"the following arguments are required: (.+)")
_TITLE_OPTION = re.compile(
    r"--(?:title|task|todo|text|item|name|description|content|message|task-name)\b"
)
_ID_OPTION = re.compile(r"--(?:id|todo-id|task-id|todo_id|task_id|number|index|uuid)\b")


class Run(Protocol):
    """Starts the program with these arguments, in the same place each time."""

    def __call__(self, *argv: str, stdin: str | None = None) -> ProgramResult:
        """Without `stdin` the program reads end of file."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command and what became of it."""

    argv: tuple[str, ...]
    result: ProgramResult

    def find_fault(self) -> str | None:
        """What was wrong with the run itself, in one line; None when nothing was."""
        command = f"`{' '.join(self.argv)}`"
        output = f"{self.result.stdout}\n{self.result.stderr}"
        last_line = next((line for line in reversed(output.split("\n")) if line.strip()), "")
        if self.result.returncode is None or self.result.timed_out:
            return f"{command} was stopped by a limit ({self.result.limit or 'time'})"
        if _TRACEBACK in output:
            return f"{command} ended in a traceback: {last_line.strip()}"
        if self.result.returncode != 0:
            return f"{command} exited with {self.result.returncode}: {last_line.strip()}"
        return None


@dataclass(frozen=True, slots=True)
class View:
    """What the program's list and its database say at one time."""

    outcome: Outcome
    """Of the list command."""
    listing: Listing
    rows: tuple[StoredRow, ...] = ()
    """Of the databases; none when they were not read."""

    def knows(self, title: str) -> bool:
        """Whether the todo is in the list, or else in the database."""
        return self.lists(title) or bool(find_rows(self.rows, title))

    def lists(self, title: str) -> bool:
        """Whether a list that worked shows the todo."""
        return self.outcome.find_fault() is None and self.listing.shows(title)

    def differs(self, other: View, titles: Sequence[str]) -> bool:
        """Whether list or database say another thing of these todos."""
        return self.listing.entries != other.listing.entries or bool(
            find_changed(self.rows, other.rows, titles)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A command given to the program, and what is to be seen after it."""

    outcome: Outcome
    after: View


@dataclass(slots=True)
class TodoProgram:
    """Gives one program the four commands that the prompt names, in the program's own dialect.

    The commands are `add TITLE`, `list`, `complete ID` and `delete ID`. Where `add TITLE` adds
    nothing, `--add TITLE` is tried, and then all commands are written that way. A program that
    asks for confirmation is told `y`; one that says which arguments it wants, gets them.
    """

    run: Run
    read_rows: Callable[[], tuple[StoredRow, ...]]
    """Reads the program's databases."""
    titles: Sequence[str]
    """All that will be added, in this order."""
    _prefix: str = ""
    _gave_up: bool = False
    _said_on_add: dict[str, str] = field(default_factory=dict)
    _hung: dict[str, Outcome] = field(default_factory=dict)

    def look(self) -> View:
        """Run `list`; the databases are not read."""
        outcome = self._start("list")
        return View(outcome, read_listing(outcome.result.stdout, self.titles))

    def look_closely(self, view: View | None = None) -> View:
        """Run `list`, and read the databases; only these when the latest view is given."""
        return replace(view or self.look(), rows=self.read_rows())

    def add(self, title: str) -> Step:
        """Add a todo, in the first way that leaves it in the list or in the database.

        Once all ways have failed, only the plain one is tried.
        """
        steps = []
        known_prefix = self._prefix
        ways = [known_prefix] if self._gave_up else [known_prefix, "", "--"]
        for self._prefix in dict.fromkeys(ways):
            step = self._give("add", title, self._look_for(title), lambda view: view.knows(title))
            if step.after.knows(title):
                self._said_on_add[title] = step.outcome.result.stdout
                return step
            steps.append(step)
        self._prefix = known_prefix
        self._gave_up = True
        return steps[0]

    def change(self, command: str, title: str, before: View) -> Step:
        """Complete or delete a todo, by the first id for it with which anything changes."""
        steps = []
        for todo_id in self._find_ids(title, before):
            step = self._give(
                command,
                todo_id,
                self.look_closely,
                lambda view: view.differs(before, self.titles),
            )
            if step.after.differs(before, self.titles):
                return step
            steps.append(step)
        return steps[0]

    def _look_for(self, title: str) -> Callable[[], View]:
        def look() -> View:
            view = self.look()
            return view if view.lists(title) else self.look_closely(view)

        return look

    def _give(
        self,
        command: str,
        argument: str,
        look: Callable[[], View],
        has_worked: Callable[[View], bool],
    ) -> Step:
        outcome = self._start(command, argument)
        first = Step(outcome, look())
        if has_worked(first.after):
            return first
        for argv, stdin in _find_answers(command, argument, outcome.result):
            outcome = self._start(command, *argv, stdin=stdin)
            step = Step(outcome, look())
            if has_worked(step.after):
                return step
        return first

    def _start(self, command: str, *arguments: str, stdin: str | None = None) -> Outcome:
        """Run a command, unless it ran into a limit before: that would only happen again."""
        if command in self._hung:
            return self._hung[command]
        argv = (f"{self._prefix}{command}", *arguments)
        outcome = Outcome(argv, self.run(*argv, stdin=stdin))
        if outcome.result.returncode is None or outcome.result.timed_out:
            self._hung[command] = outcome
        return outcome

    def _find_ids(self, title: str, view: View) -> list[str]:
        """What may name the todo to the program, the likeliest first; the title is the last."""
        entry = view.listing.entries.get(title)
        stored = (row.find_id() for row in find_rows(view.rows, title))
        said = "\n".join(
            f"{each} {' '.join(text.replace(each, '').split())}"
            for each, text in self._said_on_add.items()
        )
        told = read_listing(said, self.titles).entries.get(title)
        ids = [
            *(entry.ids if entry else ()),
            *(todo_id for todo_id in stored if todo_id is not None),
            *(told.ids if told else ()),
            str(self.titles.index(title) + 1),
        ]
        return [*list(dict.fromkeys(ids))[:MOST_IDS_TRIED], title]


def _find_answers(
    command: str, argument: str, result: ProgramResult
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Other ways to give a command that did nothing: what the program's own words ask for."""
    output = f"{result.stdout}\n{result.stderr}"
    if command != "add" and _QUESTION.search(output):
        yield (argument,), "y\n"
    option = (_TITLE_OPTION if command == "add" else _ID_OPTION).search(output)
    if option:
        yield (option[0], argument), None
    required = _REQUIRED.search(output)
    if required and not option:
        more = [name for name in required[1].split(", ") if not name.startswith("-")]
        yield (argument, *("note" for _ in more)), None
