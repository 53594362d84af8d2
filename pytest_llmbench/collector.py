"""The one process that reports: results put together, reports written, tables printed."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmbench.models import Model
from pytest_llmbench.reports.baseline import Baseline, BaselineComparison
from pytest_llmbench.reports.github import annotation_lines, step_summary_lines
from pytest_llmbench.reports.json_report import summary_document
from pytest_llmbench.reports.run import Environment, ModelRecord, Run, TaskRecord
from pytest_llmbench.reports.summary import Summary, summarize
from pytest_llmbench.reports.terminal import terminal_lines
from pytest_llmbench.reports.writing import find_face, write_report
from pytest_llmbench.results import NO_CHECKS, Result
from pytest_llmbench.runs import BaselineError, keep_run, read_baseline
from pytest_llmbench.safe_text import one_line
from pytest_llmbench.scoring import score_categories, total_score
from pytest_llmbench.settings import Settings
from pytest_llmbench.versions import find_versions

if TYPE_CHECKING:
    from pytest_llmbench.bench import Bench

NO_TASKS = (
    "llmbench: no tasks were found here. A suite that ships: "
    "pytest --pyargs pytest_llmbench.suites.round1 --llm-models={models}"
)

SURROUNDINGS_FAILED = 6
"""The exit code when every test that failed did so for want of an answer: no model is to blame."""

Key = tuple[str, str, str, int]


class Collector:
    """Takes results off the reports, from this process or from xdist's workers."""

    def __init__(self, config: pytest.Config, bench: Bench) -> None:
        for path in bench.settings.reports:
            try:
                find_face(path)
            except ValueError as error:
                raise pytest.UsageError(f"--llm-report: {error}") from None
        self._config = config
        self._bench = bench
        self._baseline = _read_baseline(bench.settings)
        self._parts: dict[Key, list[Result]] = {}
        self._plan: Mapping[str, Any] = {"items": [], "tasks": {}, "mistake": None, "trouble": None}
        self._summary: Summary | None = None
        self._written: list[str] = []
        self._unwritten: list[str] = []
        self._failed_by_surroundings = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take an item's result off its report."""
        data = vars(report).pop("llmbench", None)  # pytest keeps the reports to the end
        if data is not None:
            self._failed_by_surroundings += data["fault"] == "surroundings" and report.failed
            result = Result.from_json(data)
            key = (result.model, result.task, result.prompt, result.sample)
            self._parts.setdefault(key, []).append(result)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn from a worker that ends what was to be done."""
        plan = getattr(node, "workeroutput", {}).get("llmbench", self._plan)
        self._plan = {**plan, "trouble": plan["trouble"] or self._plan["trouble"]}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports; a failure to write is the tool's, and the exit code says so."""
        if self._config.option.collectonly:
            return
        if not self._plan["items"] and not self._plan["mistake"]:
            self._plan = self._bench.describe_plan()
        if self._plan["mistake"]:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        if not self._plan["items"]:
            return
        self._summary = summarize(self._build_run(), self._baseline)
        self._choose_exit_code(session)
        self._keep_run(self._summary)
        self._write_reports(self._summary)
        if self._unwritten:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
        self._tell_github()

    def _choose_exit_code(self, session: pytest.Session) -> None:
        """Tell a regression, a gate without an answer and an outage by their own codes.

        An interrupt keeps pytest's.
        """
        regression = bool(self._find_regressions())
        outage = 0 < self._failed_by_surroundings == session.testsfailed
        if session.exitstatus == pytest.ExitCode.TESTS_FAILED and outage and not regression:
            session.exitstatus = SURROUNDINGS_FAILED
        elif session.exitstatus <= pytest.ExitCode.TESTS_FAILED and self._why_no_gate():
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif session.exitstatus == pytest.ExitCode.OK and regression:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write_reports(self, summary: Summary) -> None:
        for path in self._bench.settings.reports:
            try:
                written = write_report(path, summary)
            except Exception as error:  # noqa: BLE001  # no report may cost the others, or the tables
                why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
                self._unwritten.append(f"--llm-report={path}: cannot be written: {why}")
            else:
                self._written.extend(map(str, written))

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> None:
        """Print the tables."""
        writer = terminalreporter
        if self._plan["mistake"]:
            writer.write_line(f"ERROR: {self._plan['mistake']}", red=True)
        elif self._found_no_tasks(exitstatus, writer):
            writer.write_line(NO_TASKS.format(models=",".join(self._bench.settings.models)))
        if self._summary is None:
            return
        writer.section("llmbench")
        lines = terminal_lines(
            self._summary,
            width=writer._tw.fullwidth,  # noqa: SLF001  # the width that pytest itself draws with
            verbosity=self._config.get_verbosity(),
            colour=writer.hasmarkup,
            written=self._written,
        )
        for line in lines:
            writer.write_line(line)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            for line in annotation_lines(self._summary):
                writer.write_line(line)
        for comparison in self._find_regressions():
            line = f"ERROR: llm_fail_on_regression: {one_line(comparison.text)}"
            writer.write_line(line, red=True)
        if reason := self._why_no_gate():
            line = f"ERROR: llm_fail_on_regression: nothing was compared: {one_line(reason)}"
            writer.write_line(line, red=True)
        for line in self._unwritten:
            writer.write_line(f"ERROR: {line}", red=True)

    def _found_no_tasks(self, exitstatus: int, writer: pytest.TerminalReporter) -> bool:
        """Whether there is no task where the user looked for some.

        Where tasks were left out, or the models stand in an ini file and ordinary tests ran, the
        user knows. Workers don't tell what they deselected; the options do.
        """
        option = self._config.option
        if self._summary is not None or option.collectonly:
            return False
        if "deselected" in writer.stats or option.keyword or option.markexpr or option.deselect:
            return False
        ran = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        return exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED or (ran and bool(option.llm_models))

    def _find_regressions(self) -> tuple[BaselineComparison, ...]:
        """The models that scored less than before, when that is to fail the run."""
        changes = None if self._summary is None else self._summary.changes
        if changes is None or not self._bench.settings.fail_on_regression:
            return ()
        return changes.regressions

    def _why_no_gate(self) -> str | None:
        """Why a gate that was asked for has nothing to judge by; None when it has."""
        changes = None if self._summary is None else self._summary.changes
        if changes is None or changes.comparisons or not self._bench.settings.fail_on_regression:
            return None
        return " ".join(changes.remarks)

    def _keep_run(self, summary: Summary) -> None:
        """Enter the run into the index, if a model answered that may answer differently again."""
        if self._plan["trouble"]:  # the folder cannot be written
            self._unwritten.append(self._plan["trouble"])
            return
        lasting = {label for label, model in summary.run.models.items() if model.kind == "offline"}
        if all(each.model in lasting or not each.generations for each in summary.run.results):
            return
        folder = self._bench.settings.recordings
        try:
            keep_run(folder, summary)
        except OSError as error:
            self._unwritten.append(f"{folder}: the run could not be kept: {error.strerror}")

    def _tell_github(self) -> None:
        """Write the job's summary where GitHub Actions says; annotations come with the tables."""
        path = os.environ.get("GITHUB_STEP_SUMMARY")
        if path and self._summary is not None:
            try:
                with Path(path).open("a", encoding="utf-8") as file:
                    file.writelines(step_summary_lines(self._summary))
            except OSError as error:
                self._unwritten.append(f"$GITHUB_STEP_SUMMARY: {error}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_json_modifyreport(self, json_report: dict[str, Any]) -> None:
        """Add the benchmark to pytest-json-report's file."""
        if self._summary is not None:
            json_report["llmbench"] = summary_document(self._summary)

    def _build_run(self) -> Run:
        tasks = {name: TaskRecord(**task) for name, task in self._plan["tasks"].items()}
        items: dict[Key, list[str]] = {}
        for nodeid, model, task, prompt, sample in self._plan["items"]:
            items.setdefault((model, task, prompt, sample), []).append(nodeid)
        results = tuple(
            join_parts(key, nodeids, self._parts.get(key, []), tasks[key[1]].points)
            for key, nodeids in items.items()
        )
        return Run(
            environment=self._describe_environment(),
            models={
                model.label: self._describe_model(model, results)
                for model in self._bench.models
                if any(result.model == model.label for result in results)
            },
            tasks=tasks,
            results=results,
            fail_under=self._bench.settings.fail_under,
        )

    def _describe_model(self, model: Model, results: tuple[Result, ...]) -> ModelRecord:
        generations = [
            result.generation
            for result in results
            if result.model == model.label and result.generation is not None
        ]
        known: dict[str, Any] = {}
        for generation in generations:
            facts = {"served_model": generation.served_model, **generation.details}
            for name in ("served_model", "digest", "quantization", "context_length"):
                if facts.get(name) is not None:
                    known.setdefault(name, facts[name])
        return ModelRecord(
            spec=model.spec,
            provider=model.provider,
            kind=self._bench.endpoint(model).kind,
            **known,
        )

    def _describe_environment(self) -> Environment:
        versions = find_versions()
        return Environment(
            plugin=versions["pytest-llmbench"],
            python=platform.python_version(),
            platform=platform.platform(),
            sandbox=self._bench.sandbox().name,
            packages=versions,
        )


def _read_baseline(settings: Settings) -> Baseline | None:
    """The earlier run to compare with, read before anything is asked. Raises UsageError."""
    if settings.compare is None:
        return None
    try:
        return read_baseline(settings.compare, settings.recordings, settings.start)
    except BaselineError as error:
        raise pytest.UsageError(f"--llm-compare: {error}") from None


def join_parts(
    key: Key, nodeids: list[str], parts: list[Result], points: Mapping[str, float]
) -> Result:
    """One result from those of all test functions that judge the same answer.

    It is scored over all their checks, and only when all of them came to their end.
    """
    model, task, prompt, sample = key
    blank = Result(nodeids[0], model, task, prompt, sample, "unscored", None, None, None)
    if not parts:
        return replace(blank, nodeids=tuple(nodeids), reason="it did not run", fault="not-run")
    last = {part.nodeid: part for part in parts}  # an item that was run again counts once
    parts = [last[nodeid] for nodeid in nodeids if nodeid in last]
    whole = replace(
        next((part for part in parts if part.files), parts[0]),
        nodeid=nodeids[0],
        nodeids=tuple(nodeids),
        checks=tuple(check for part in parts for check in part.checks),
    )
    runs = tuple(run for part in parts for run in part.evidence.runs)
    whole = replace(whole, evidence=replace(whole.evidence, runs=runs))
    unscored = next((part for part in parts if part.status == "unscored"), None)
    if unscored is not None:
        return replace(
            whole, status="unscored", reason=unscored.reason, fault=unscored.fault, score=None
        )
    missing = [nodeid for nodeid in nodeids if nodeid not in {part.nodeid for part in parts}]
    if missing:
        reason = f"{missing[0]} did not run"
        return replace(whole, status="unscored", reason=reason, fault="not-run", score=None)
    if not whole.checks and not points:
        return replace(whole, status="unscored", reason=NO_CHECKS, fault="suite", score=None)
    categories = score_categories(points, whole.checks)
    score = total_score(categories)
    attempt_scores = (*parts[0].attempt_scores[:-1], score)
    return replace(whole, categories=categories, score=score, attempt_scores=attempt_scores)
