"""A benchmark among pytest's items: one item for each model, prompt and sample of a task.

Runs in every process that runs tests. What an item finds out travels on its test report, as plain
JSON; `collector` puts it together in the one process that reports.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmbench.budget import Budget
from pytest_llmbench.ceilings import give_ceilings, stage_ceiling_s
from pytest_llmbench.costs import Costs
from pytest_llmbench.distribution import make_scheduling, order_by_lane
from pytest_llmbench.energy import find_driver
from pytest_llmbench.generation.ask import RetryPolicy
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.lanes import Lanes
from pytest_llmbench.generation.library import Library
from pytest_llmbench.generation.live import LiveAnswerer
from pytest_llmbench.item_reports import junit_properties, write_result
from pytest_llmbench.live_line import LiveLine
from pytest_llmbench.models import Model, suggest_alias
from pytest_llmbench.prices import PriceList
from pytest_llmbench.project_file import ProjectFile
from pytest_llmbench.providers.protocol import Endpoint, Patience, Provider
from pytest_llmbench.sandbox.choose import choose_sandbox
from pytest_llmbench.sandbox.protocol import Sandbox, SandboxError
from pytest_llmbench.settings import Settings
from pytest_llmbench.solution import MissingAnswer
from pytest_llmbench.task_items import (
    CASE,
    WORK,
    Collected,
    bind_items,
    choose_prompts,
    find_sharers,
    find_work,
    join_binding,
    model_of,
    parameters_of,
    parametrize_task,
    read_collected,
    works_of,
)
from pytest_llmbench.tasks import FULL_POINTS, Task, TaskError, join_tasks
from pytest_llmbench.versions import find_versions
from pytest_llmbench.work import Work, Workshop

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

BENCH = "llmbench-bench"
ACCOUNT = "llmbench_account"
STALL_S = 120.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What a benchmark is made of."""

    settings: Settings
    project: ProjectFile
    models: Sequence[Model]
    providers: Mapping[str, Provider]
    clock: Clock
    budget: Budget | None
    """The account of the run; None when nothing limits what it may cost."""


class Bench:
    """The benchmark of one process."""

    def __init__(self, config: pytest.Config, tools: Tools) -> None:
        self.config = config
        self.settings = settings = tools.settings
        self.project = tools.project
        self.models = tools.models
        self.clock = tools.clock
        self.tasks: dict[str, Task] = {}
        self._endpoints = {
            model.spec: tools.providers[model.provider].endpoint(model) for model in tools.models
        }
        self._budget = tools.budget
        self.prices = PriceList(tools.project.prices)
        self.live = self._make_live(tools)
        self.library = Library(
            settings.recordings, settings.record_mode, self.live, find_versions()
        )
        self._lanes = Lanes(self.library, self.endpoint, tools.clock)
        self._live_line = LiveLine(config, tools.clock)
        self._asks = settings.record_mode != "none"
        self._asked_ahead: set[str] = set()
        self._sandbox: Sandbox | None = None
        self._mistake: str | None = None
        self._plan: list[tuple[str, tuple[str, str, str, int]]] = []
        self.workshop = Workshop(
            settings,
            tools.clock,
            self._lanes,
            self.sandbox,
            self._live_line.show,
            self.count_attempts,
            stage_ceiling_s(settings.timeout_s),
        )

    def _make_live(self, tools: Tools) -> LiveAnswerer:
        timeout_s = tools.settings.timeout_s
        return LiveAnswerer(
            tools.providers,
            patience=Patience(timeout_s, min(STALL_S, timeout_s)),
            clock=tools.clock,
            policy=RetryPolicy(),
            costs=Costs(
                self.prices,
                tools.budget,
                find_driver,
                tools.project.tariff,
                now=lambda: datetime.now(UTC),
            ),
        )

    def endpoint(self, model: Model) -> Endpoint:
        """Where a model is asked."""
        return self._endpoints[model.spec]

    def count_attempts(self, model: Model) -> int:
        """How many answers it may give to one question; one whose answers are there has one."""
        return 1 if self.endpoint(model).kind == "offline" else self.settings.attempts

    def sandbox(self) -> Sandbox:
        """The sandbox of this run, proven on this machine when it is first needed."""
        if self._sandbox is None:
            offered = self.config.hook.pytest_llmbench_sandboxes(config=self.config)
            candidates = [sandbox for some in offered for sandbox in some]
            try:
                self._sandbox = choose_sandbox(self.settings.sandbox, candidates)
            except SandboxError as error:
                raise pytest.UsageError(f"--llm-sandbox: {error}") from None
        return self._sandbox

    def pytest_sessionstart(self) -> None:
        """Prove the sandbox before anything is asked, in the reporting process first of all."""
        if not (self.config.option.collectonly or self.settings.plan):
            self.config.option.llm_sandbox = self.sandbox().name

    @pytest.hookimpl(tryfirst=True)
    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make each task's function one item for each model, prompt and sample."""
        parametrize_task(metafunc, self.models, self.settings.samples)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Let others select, then bind what is left to its tasks, in the order of the lanes."""
        collected = read_collected(items)
        yield
        self._bind(items, collected)

    def _bind(self, items: list[pytest.Item], collected: Collected) -> None:
        try:
            bound = bind_items(items, collected)
            self.tasks = join_tasks([(item.nodeid, binding.task) for item, binding in bound])
            chosen = choose_prompts(bound, self.settings.prompts)
        except TaskError as error:
            if not is_worker(self.config):
                raise pytest.UsageError(str(error)) from None
            self._mistake = str(error)  # xdist has no way to hand a usage error on
            items.clear()
            return
        for item, binding in chosen:
            item.stash[WORK] = Work(item.nodeid, join_binding(binding, self.tasks), self.workshop)
        dropped = [item for item in items if CASE in parameters_of(item) and WORK not in item.stash]
        if dropped:
            self.config.hook.pytest_deselected(items=dropped)
        others = [item for item in items if CASE not in parameters_of(item)]
        tasks = [item for item, _ in chosen]
        give_ceilings(self.config, tasks, self.settings.timeout_s)
        items[:] = others + order_by_lane(tasks, model_of, self.endpoint, self.models)
        self._plan = [(work.nodeid, work.binding.key) for work in map(find_work, items) if work]
        self._plan += find_sharers(chosen, collected)

    def pytest_report_collectionfinish(self) -> list[str]:
        """A task whose points cannot add up to a full score."""
        sums = {name: sum(task.points.values()) for name, task in self.tasks.items()}
        return [
            f"llmbench: the points of {name} add up to {total:g}, so 100 cannot be reached"
            for name, total in sums.items()
            if 0 < total < FULL_POINTS
        ]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Ask ahead for every answer that the session will need."""
        if not self.config.option.collectonly and self._asks and not is_worker(self.config):
            self._lanes.start(work.job for work in works_of(session))
        try:
            return (yield)
        finally:
            self._lanes.call_off()
            self.live.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Under xdist, ask ahead for all items of this endpoint: they all run on this worker."""
        work = find_work(item)
        if work is not None and self._asks and is_worker(self.config):
            self._ask_ahead(item.session, self.endpoint(work.binding.case.model))
        try:
            return (yield)
        finally:
            if work is not None:
                item.stash[WORK].put_away()

    def _ask_ahead(self, session: pytest.Session, endpoint: Endpoint) -> None:
        if endpoint.kind == "offline" or endpoint.address in self._asked_ahead:
            return
        self._asked_ahead.add(endpoint.address)
        works = works_of(session)
        self._lanes.start(
            work.job for work in works if self.endpoint(work.binding.case.model) == endpoint
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        """Leave no live line behind."""
        try:
            yield
        finally:
            self._live_line.wipe()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Judge a test that came to its end."""
        work = find_work(item)
        if work is None:
            yield
            return
        with contextlib.suppress(MissingAnswer):  # what never ran earns nothing
            yield
        work.reached_end = True
        failure = work.judge()
        if failure is not None:
            pytest.fail(failure, pytrace=False)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send the item's result along on its report, and its figures into JUnit's properties."""
        work = find_work(item)
        result = None if work is None else write_result(work, call)
        if result is not None:
            item.user_properties.extend(junit_properties(result))
        report = yield
        if result is not None:
            report.llmbench = result.to_json()  # type: ignore[attr-defined]  # travels as it is
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the reporting process what was to be done, and end the sandbox."""
        if is_worker(self.config):
            self.config.workeroutput["llmbench"] = self.describe_plan()  # type: ignore[attr-defined]  # xdist's
        if self._sandbox is not None:
            self._sandbox.close()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let a worker of xdist count on the account of the whole run."""
        if self._budget is not None:
            node.workerinput[ACCOUNT] = str(self._budget.path)

    def pytest_unconfigure(self) -> None:
        """Close the account of the run."""
        if self._budget is not None and not is_worker(self.config):
            self._budget.remove()

    def describe_plan(self) -> dict[str, Any]:
        """The tasks, and the key of every item, as plain JSON."""
        places: dict[str, str] = {}
        for nodeid, (_, task, _, _) in self._plan:
            places.setdefault(task, nodeid)
        return {
            "mistake": self._mistake,
            "trouble": self.library.trouble,
            "items": [[nodeid, *key] for nodeid, key in self._plan],
            "tasks": {
                name: {
                    "nodeid": places[name],
                    "points": dict(task.points),
                    "prompts": task.prompt_digests(),
                }
                for name, task in self.tasks.items()
                if name in places
            },
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(
        self, config: pytest.Config, log: Any
    ) -> LoadScopeScheduling | None:
        """Keep the items of an endpoint together, whatever way of distribution was asked for.

        Where nothing is asked over a network, the user's way is as good as any.
        """
        if config.getvalue("dist") == "each":
            return None
        addresses = {
            model.label: self.endpoint(model).address
            for model in self.models
            if self._asks and self.endpoint(model).kind != "offline"
        }
        return make_scheduling(config, log, addresses) if addresses else None

    def pytest_report_header(self) -> list[str]:
        """Each model with its exact spec, and where programs run."""
        lines = []
        for model in self.models:
            endpoint = self.endpoint(model)
            at = "" if endpoint.kind == "offline" else f" at {endpoint.address}"
            meant = suggest_alias(model, self.project.models)
            guess = f" (no alias; did you mean {meant!r}?)" if meant else ""
            lines.append(f"llmbench: {model.label} = {model.spec}{at}{guess}")
        if self._sandbox is not None:
            lines.append(f"llmbench: sandbox {self._sandbox.name}")
        return lines


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another, which reports."""
    return hasattr(config, "workerinput")
