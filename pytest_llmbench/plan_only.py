"""`--llm-plan`: pytest collects as usual, tells the plan, and runs nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_llmbench.bench import Bench
from pytest_llmbench.energy import find_driver
from pytest_llmbench.generation.lanes import Job
from pytest_llmbench.plan import ModelPlan, Planner
from pytest_llmbench.plan_lines import plan_lines
from pytest_llmbench.task_items import find_work

TITLE = "llmbench plan: nothing is asked, run or written"


class PlanOnly:
    """Tells what the run would do, in its place."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._plans: list[ModelPlan] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Plan for the items that are left, and let pytest end where --collect-only does."""
        session.config.option.collectonly = True
        works = [work for work in map(find_work, session.items) if work is not None]
        jobs = {job.key: job for job in (work.job for work in works)}
        planner = self._make_planner()
        for model in self._bench.models:
            own = [job for job in jobs.values() if job.model == model]
            if own:
                self._plans.append(self._plan(planner, own))

    def _make_planner(self) -> Planner:
        bench = self._bench
        driver = find_driver()
        return Planner(
            bench.library,
            bench.live,
            bench.prices,
            [] if driver is None else driver.list_gpus(),
            record_mode=bench.settings.record_mode,
            attempts=bench.settings.attempts,
            now=datetime.now(UTC),
        )

    def _plan(self, planner: Planner, jobs: list[Job]) -> ModelPlan:
        model = jobs[0].model
        return planner.plan(model, self._bench.endpoint(model), jobs)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Say by the exit code when something is missing."""
        if any(plan.missing for plan in self._plans):
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the plan."""
        if not self._plans:
            return
        settings = self._bench.settings
        terminalreporter.section(TITLE)
        for line in plan_lines(
            self._plans, cap_usd=settings.max_cost_usd, timeout_s=settings.timeout_s
        ):
            terminalreporter.write_line(line)
