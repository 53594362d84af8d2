"""A benchmark among pytest's items: one item for each model, prompt and sample of a task.

Runs in every process that runs tests. What an item finds out travels on its test report, as plain
JSON; `collector` puts it together in the one process that reports.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmbench.budget import Budget
from pytest_llmbench.built_in import BuiltIn
from pytest_llmbench.ceilings import give_ceilings, stage_ceiling_s
from pytest_llmbench.collector import Collector
from pytest_llmbench.costs import Costs
from pytest_llmbench.distribution import make_scheduling, order_by_lane
from pytest_llmbench.energy import find_driver
from pytest_llmbench.generation.ask import RetryPolicy
from pytest_llmbench.generation.clock import Clock, SystemClock
from pytest_llmbench.generation.lanes import Lanes
from pytest_llmbench.generation.library import Library
from pytest_llmbench.generation.live import LiveAnswerer
from pytest_llmbench.live_line import LiveLine
from pytest_llmbench.models import Model, ModelSpecError, resolve_models, suggest_alias
from pytest_llmbench.prices import PriceList
from pytest_llmbench.project_file import ProjectFile, read_project_file
from pytest_llmbench.providers.protocol import Endpoint, Patience, Provider
from pytest_llmbench.results import Fault, Result
from pytest_llmbench.sandbox.choose import choose_sandbox
from pytest_llmbench.sandbox.protocol import Sandbox, SandboxError
from pytest_llmbench.settings import Settings
from pytest_llmbench.solution import MissingAnswer
from pytest_llmbench.tasks import (
    FULL_POINTS,
    Binding,
    Case,
    Task,
    TaskError,
    join_tasks,
    prompt_names,
    read_task,
)
from pytest_llmbench.versions import find_versions
from pytest_llmbench.work import Work, Workshop

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

BENCH = "llmbench-bench"
CASE = "llm_case"
ACCOUNT = "llmbench_account"
STALL_S = 120.0
WORK = pytest.StashKey[Work]()


def find_work(item: pytest.Item) -> Work | None:
    """What is done for this item; None when it is no task."""
    return item.stash.get(WORK, None)


class Bench:
    """The benchmark of one process."""

    def __init__(
        self,
        config: pytest.Config,
        settings: Settings,
        project: ProjectFile,
        *,
        models: Sequence[Model],
        providers: Mapping[str, Provider],
        clock: Clock,
    ) -> None:
        self.config = config
        self.settings = settings
        self.project = project
        self.models = models
        self.tasks: dict[str, Task] = {}
        self.clock = clock
        self._endpoints = {
            model.spec: providers[model.provider].endpoint(model) for model in models
        }
        self.prices = PriceList(project.prices)
        self._budget = _open_budget(config, settings, clock)
        self.live = LiveAnswerer(
            providers,
            patience=Patience(settings.timeout_s, min(STALL_S, settings.timeout_s)),
            clock=clock,
            policy=RetryPolicy(),
            costs=Costs(
                self.prices,
                self._budget,
                find_driver,
                project.tariff,
                now=lambda: datetime.now(UTC),
            ),
        )
        self.library = Library(
            settings.recordings, settings.record_mode, self.live, find_versions()
        )
        self._lanes = Lanes(self.library, self.endpoint, clock)
        self._live_line = LiveLine(config, clock)
        self._asks = settings.record_mode != "none"
        self._asked_ahead: set[str] = set()
        self._sandbox: Sandbox | None = None
        self._mistake: str | None = None
        self._plan: list[tuple[str, tuple[str, str, str, int]]] = []
        self.workshop = Workshop(
            settings,
            clock,
            self._lanes,
            self.sandbox,
            self._live_line.show,
            self.count_attempts,
            stage_ceiling_s(settings.timeout_s),
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
        marks = [mark.kwargs for mark in metafunc.definition.iter_markers("llm_task")]
        marks += _row_marks(metafunc.definition)
        if not marks:
            return
        prompts = prompt_names(marks)
        cases = [
            Case(model, prompt, sample)
            for model in self.models
            for prompt in prompts
            for sample in range(self.settings.samples)
        ]
        metafunc.fixturenames.append(CASE)
        metafunc.parametrize(CASE, cases, ids=[self._case_id(case, prompts) for case in cases])

    def _case_id(self, case: Case, prompts: Sequence[str]) -> str:
        parts = [case.model.label]
        if len(prompts) > 1:
            parts.append(case.prompt)
        if self.settings.samples > 1:
            parts.append(f"s{case.sample}")
        return "-".join(parts)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Bind the items that are left to their tasks, and put them in the order of the lanes."""
        try:
            bound = bind_items(items)
            self.tasks = join_tasks([(item.nodeid, binding.task) for item, binding in bound])
            chosen = self._choose_prompts(bound)
        except TaskError as error:
            if not _is_worker(self.config):
                raise pytest.UsageError(str(error)) from None
            self._mistake = str(error)  # xdist has no way to hand a usage error on
            items.clear()
            return
        for item, binding in chosen:
            whole = self.tasks[binding.task.name]
            task = replace(binding.task, points=whole.points, reference=whole.reference)
            item.stash[WORK] = Work(item.nodeid, replace(binding, task=task), self.workshop)
        dropped = [item for item in items if CASE in _parameters(item) and WORK not in item.stash]
        if dropped:
            self.config.hook.pytest_deselected(items=dropped)
        others = [item for item in items if CASE not in _parameters(item)]
        tasks = [item for item, _ in chosen]
        give_ceilings(self.config, tasks, self.settings.timeout_s)
        items[:] = others + order_by_lane(tasks, _model_of, self.endpoint, self.models)
        self._plan = [(work.nodeid, work.binding.key) for work in map(find_work, items) if work]

    def _choose_prompts(
        self, bound: Sequence[tuple[pytest.Item, Binding]]
    ) -> list[tuple[pytest.Item, Binding]]:
        """The items whose task has their prompt, and whose prompt the user wants.

        Raises TaskError for a wanted prompt that no task has.
        """
        wanted = self.settings.prompts
        known = {name: None for _, binding in bound for name in binding.task.prompts}
        unknown = [name for name in wanted if name not in known and name != "all"]
        if unknown and bound:
            raise TaskError(
                f"--llm-prompts: no task has a prompt {unknown[0]!r}; there are {', '.join(known)}"
            )
        everything = not wanted or "all" in wanted
        return [
            (item, binding)
            for item, binding in bound
            if binding.case.prompt in binding.task.prompts
            and (everything or binding.case.prompt in wanted)
        ]

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
        if not self.config.option.collectonly and self._asks and not _is_worker(self.config):
            self._lanes.start(work.job for work in _works_of(session))
        try:
            return (yield)
        finally:
            self._lanes.call_off()
            self.live.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Under xdist, ask ahead for all items of this endpoint: they all run on this worker."""
        work = find_work(item)
        if work is not None and self._asks and _is_worker(self.config):
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
        works = _works_of(session)
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
        result = None if work is None else _write_result(work, call)
        if result is not None:
            item.user_properties.extend(_junit_properties(result))
        report = yield
        if result is not None:
            report.llmbench = result.to_json()  # type: ignore[attr-defined]  # travels as it is
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the reporting process what was to be done, and end the sandbox."""
        if _is_worker(self.config):
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
        if self._budget is not None and not _is_worker(self.config):
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


def set_up_bench(config: pytest.Config, settings: Settings) -> None:
    """Register the benchmark's hooks.

    Raises SettingsError for a project file and UsageError for models that cannot be.
    """
    project = read_project_file(config.rootpath)
    config.pluginmanager.register(BuiltIn(), "llmbench-built-in")
    offered = config.hook.pytest_llmbench_providers(config=config)
    providers = {provider.name: provider for some in offered for provider in some}
    try:
        models = resolve_models(
            settings.models, providers=list(providers), configured=project.models
        )
        bench = Bench(
            config, settings, project, models=models, providers=providers, clock=SystemClock()
        )
    except ModelSpecError as error:
        raise pytest.UsageError(f"--llm-models: {error}") from None
    config.pluginmanager.register(bench, BENCH)
    if settings.attempts > 1:
        from pytest_llmbench.attempts import SecondChances  # noqa: PLC0415  # it imports this module

        config.pluginmanager.register(SecondChances(), "llmbench-attempts")
    if not _is_worker(config):
        config.pluginmanager.register(Collector(config, bench), "llmbench-collector")
    if settings.plan:
        from pytest_llmbench.plan_only import PlanOnly  # noqa: PLC0415  # it imports this module

        config.option.dist = "no"  # the plan is made here, whatever -n says
        config.pluginmanager.register(PlanOnly(bench), "llmbench-plan")


def bind_items(items: Iterable[pytest.Item]) -> list[tuple[pytest.Item, Binding]]:
    """Each item of a task with what it judges. Raises TaskError for a mark that cannot be."""
    bound = []
    functions: dict[str, set[str]] = {}
    for item in items:
        case = _parameters(item).get(CASE)
        if case is None:
            continue
        function = getattr(item, "originalname", item.name)
        marks = [mark.kwargs for mark in item.iter_markers("llm_task")]
        try:
            task = read_task(marks, function=function, folder=item.path.parent)
        except TaskError as error:
            raise TaskError(f"{item.nodeid.partition('[')[0]}: {error}") from None
        functions.setdefault(task.name, set()).add(_place_of(item))
        bound.append((item, Binding(task, case)))
    return [
        (item, replace(binding, shared=len(functions[binding.task.name]) > 1))
        for item, binding in bound
    ]


def _place_of(item: pytest.Item) -> str:
    """The item's test function, and its row where it has one."""
    row = {name: value for name, value in _parameters(item).items() if name != CASE}
    indices = getattr(getattr(item, "callspec", None), "indices", {})
    return f"{item.nodeid.partition('[')[0]} {[(name, indices.get(name)) for name in row]}"


def _parameters(item: pytest.Item) -> Mapping[str, Any]:
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


def _row_marks(definition: pytest.Function) -> list[Mapping[str, Any]]:
    """The `llm_task` keywords on the rows of a data-driven test."""
    rows: list[Any] = []
    for parametrize in definition.iter_markers("parametrize"):
        values = parametrize.kwargs.get("argvalues", parametrize.args[1:2])
        if isinstance(values, tuple) and "argvalues" not in parametrize.kwargs:
            values = values[0] if values else ()
        if isinstance(values, list | tuple):  # an iterator would be used up by looking
            rows.extend(values)
    marked = [row.marks for row in rows if isinstance(row, type(pytest.param()))]
    return [
        getattr(mark, "mark", mark).kwargs
        for marks in marked
        for mark in marks
        if mark.name == "llm_task"
    ]


def _model_of(item: pytest.Item) -> Model:
    return item.stash[WORK].binding.case.model


def _works_of(session: pytest.Session) -> list[Work]:
    return [item.stash[WORK] for item in session.items if WORK in item.stash]


def _open_budget(config: pytest.Config, settings: Settings, clock: Clock) -> Budget | None:
    """The account of the run when it has a cap and asks for answers."""
    cap_usd = settings.max_cost_usd
    if cap_usd is None or settings.plan or config.option.collectonly:
        return None
    if _is_worker(config):
        return Budget(cap_usd, Path(config.workerinput[ACCOUNT]), clock)  # type: ignore[attr-defined]  # xdist's
    return Budget.create(cap_usd, clock)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _write_result(work: Work, call: pytest.CallInfo[None]) -> Result | None:
    """The result, once this phase of the test has decided it."""
    if call.when == "call" and work.reached_end:
        return work.write_scored()
    if call.excinfo is None or call.when == "teardown":
        return None
    if call.excinfo.errisinstance(pytest.skip.Exception):
        return work.write_unscored(f"skipped: {call.excinfo.value}", "skipped")
    fault: Fault = "surroundings" if call.excinfo.errisinstance(SandboxError) else "suite"
    return work.write_unscored(call.excinfo.exconly(tryshort=True).splitlines()[0], fault)


def _junit_properties(result: Result) -> list[tuple[str, object]]:
    generation = result.generation
    properties = {
        "model": result.model,
        "task": result.task,
        "prompt": result.prompt,
        "sample": result.sample,
        "status": result.status,
        "score": result.score,
        "ttft_s": generation and generation.ttft_s,
        "total_s": generation and generation.total_s,
        "output_tokens": generation and generation.output_tokens,
        "tokens_per_s": generation and generation.tokens_per_s,
        "cost_usd": generation and generation.cost_usd,
    }
    return [(f"llmbench.{name}", value) for name, value in properties.items() if value is not None]
