"""Several attempts at one task within one test item, each with fresh fixtures.

An item whose answer lost points runs again, from its set-up, on the model's next answer. Only the
reports of the last attempt are handed on: to pytest an item ran once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import pytest
from _pytest.runner import check_interactive_exception, get_reraise_exceptions

from pytest_llmbench.task_items import WORK, find_work


class SecondChances:
    """Runs the items that may have another attempt; leaves the others to pytest."""

    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        """Run an item until an answer has all points, or no attempt is left."""
        work = find_work(item)
        options = item.config.option
        if work is None or not work.may_be_asked_again or options.setuponly or options.setupshow:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        _run_attempts(item, nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


@dataclass(frozen=True, slots=True)
class _Phase:
    """One phase of a test that has run, and that nobody was told of."""

    item: pytest.Item
    call: pytest.CallInfo[None]
    report: pytest.TestReport

    def hand_on(self) -> None:
        """Tell pytest, which may stop the session or open a debugger for it."""
        self.item.ihook.pytest_runtest_logreport(report=self.report)
        if check_interactive_exception(self.call, self.report):
            self.item.ihook.pytest_exception_interact(
                node=self.item, call=self.call, report=self.report
            )


def _run_attempts(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    properties = list(item.user_properties)
    faults: list[_Phase] = []
    before: list[_Phase] = []
    while True:
        phases = _set_up_and_call(item)
        work = item.stash[WORK]
        if work.was_turned_away:
            phases = before
            break
        following = work.next_attempt()
        if following is None:
            break
        before = phases
        # What comes next is the same item, so all that is wider than it stays set up.
        torn_down = _tear_down(item, cast("pytest.Item", item.parent))
        if not torn_down.report.passed:
            faults.append(torn_down)
        item.stash[WORK] = following
        item.user_properties[:] = properties
        item._report_sections.clear()  # noqa: SLF001  # the output of the attempt before
    for phase in (*phases, *faults):
        phase.hand_on()
    stops = item.session.shouldfail or item.session.shouldstop
    _tear_down(item, None if stops else nextitem).hand_on()


def _set_up_and_call(item: pytest.Item) -> list[_Phase]:
    if not item._request:  # type: ignore[attr-defined]  # noqa: SLF001  # as pytest does for a second run
        item._initrequest()  # type: ignore[attr-defined]  # noqa: SLF001
    phases = [_run_phase(item, "setup", lambda: item.ihook.pytest_runtest_setup(item=item))]
    if phases[0].report.passed:
        run = _run_phase(item, "call", lambda: item.ihook.pytest_runtest_call(item=item))
        phases.append(run)
    return phases


def _tear_down(item: pytest.Item, nextitem: pytest.Item | None) -> _Phase:
    def tear_down() -> None:
        item.ihook.pytest_runtest_teardown(item=item, nextitem=nextitem)

    try:
        return _run_phase(item, "teardown", tear_down)
    finally:
        item._request = False  # type: ignore[attr-defined]  # noqa: SLF001
        item.funcargs = None  # type: ignore[attr-defined]


def _run_phase(
    item: pytest.Item, when: Literal["setup", "call", "teardown"], run: Callable[[], None]
) -> _Phase:
    call = pytest.CallInfo.from_call(run, when, reraise=get_reraise_exceptions(item.config))
    report = item.ihook.pytest_runtest_makereport(item=item, call=call)
    return _Phase(item, call, report)
