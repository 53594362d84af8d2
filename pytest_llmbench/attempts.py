"""Several attempts at one task within one test item, each with fresh fixtures.

An item whose answer lost points runs again, from its set-up, on the model's next answer. Only the
reports of the last attempt are handed on: to pytest an item ran once.
"""

from __future__ import annotations

from typing import cast

import pytest
from _pytest.runner import call_and_report  # what pytest offers to plugins that run an item again

from pytest_llmbench.bench import WORK, find_work


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


def _run_attempts(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    properties = list(item.user_properties)
    faults: list[pytest.TestReport] = []
    before: list[pytest.TestReport] = []
    while True:
        reports = _set_up_and_call(item)
        work = item.stash[WORK]
        if work.was_turned_away:
            reports = before
            break
        following = work.next_attempt()
        if following is None:
            break
        before = reports
        # What comes next is the same item, so all that is wider than it stays set up.
        torn_down = _tear_down(item, cast("pytest.Item", item.parent), log=False)
        if not torn_down.passed:
            faults.append(torn_down)
        item.stash[WORK] = following
        item.user_properties[:] = properties
        item._report_sections.clear()  # noqa: SLF001  # the output of the attempt before
    for report in (*reports, *faults):
        item.ihook.pytest_runtest_logreport(report=report)
    if item.session.shouldfail or item.session.shouldstop:
        nextitem = None
    _tear_down(item, nextitem, log=True)


def _set_up_and_call(item: pytest.Item) -> list[pytest.TestReport]:
    if not item._request:  # type: ignore[attr-defined]  # noqa: SLF001  # as pytest does for a second run
        item._initrequest()  # type: ignore[attr-defined]  # noqa: SLF001
    reports = [call_and_report(item, "setup", log=False)]
    if reports[0].passed:
        reports.append(call_and_report(item, "call", log=False))
    return reports


def _tear_down(item: pytest.Item, nextitem: pytest.Item | None, *, log: bool) -> pytest.TestReport:
    try:
        return call_and_report(item, "teardown", log=log, nextitem=nextitem)
    finally:
        item._request = False  # type: ignore[attr-defined]  # noqa: SLF001
        item.funcargs = None  # type: ignore[attr-defined]
