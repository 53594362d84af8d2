"""A benchmark set up: what was chosen is found, and the hooks that it needs are registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmbench.attempts import SecondChances
from pytest_llmbench.bench import ACCOUNT, BENCH, Bench, Tools, is_worker
from pytest_llmbench.budget import Budget
from pytest_llmbench.built_in import BuiltIn
from pytest_llmbench.collector import Collector
from pytest_llmbench.generation.clock import Clock, SystemClock
from pytest_llmbench.models import ModelSpecError, resolve_models
from pytest_llmbench.plan_only import PlanOnly
from pytest_llmbench.project_file import read_project_file
from pytest_llmbench.settings import Settings


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
        clock = SystemClock()
        budget = _open_budget(config, settings, clock)
        tools = Tools(settings, project, models, providers, clock, budget)
        bench = Bench(config, tools)
    except ModelSpecError as error:
        raise pytest.UsageError(f"--llm-models: {error}") from None
    config.pluginmanager.register(bench, BENCH)
    if settings.attempts > 1:
        config.pluginmanager.register(SecondChances(), "llmbench-attempts")
    if not is_worker(config):
        config.pluginmanager.register(Collector(config, bench), "llmbench-collector")
    if settings.plan:
        config.option.dist = "no"  # the plan is made here, whatever -n says
        config.pluginmanager.register(PlanOnly(bench), "llmbench-plan")


def _open_budget(config: pytest.Config, settings: Settings, clock: Clock) -> Budget | None:
    """The account of the run when it has a cap and asks for answers."""
    cap_usd = settings.max_cost_usd
    if cap_usd is None or settings.plan or config.option.collectonly:
        return None
    if is_worker(config):
        return Budget(cap_usd, Path(config.workerinput[ACCOUNT]), clock)  # type: ignore[attr-defined]  # xdist's
    return Budget.create(cap_usd, clock)
