"""The plugin's front door: options, the mark, the fixtures; everything else only with a model."""

from __future__ import annotations

from typing import Literal

import pytest

from pytest_llmbench import hookspecs
from pytest_llmbench.fixtures import generation, rubric, solution
from pytest_llmbench.settings import OPTIONS, SettingsError, read_settings

__all__ = ["generation", "rubric", "solution"]

MARK_HELP = (
    "llm_task(prompt=…, points={…}, …): ask each model of --llm-models for a solution; "
    "the test judges it with the fixtures generation, solution and rubric."
)
NO_MODEL = "no model chosen: add --llm-models=NAME,… (devstral, sonnet, demo, …)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the table of options, each with its ini twin."""
    group = parser.getgroup("llmbench", "benchmark language models (pytest-llmbench)")
    for option in OPTIONS:
        if option.switch:
            group.addoption(option.flag, dest=option.ini, help=option.help, action="store_true")
            if not option.one_off:
                help_text = f"default of {option.flag}: {option.help}"
                parser.addini(option.ini, help_text, type="bool", default=False)
            continue
        kind: Literal["linelist", "string"] = "linelist" if option.repeatable else "string"
        group.addoption(
            option.flag,
            dest=option.ini,
            metavar=option.metavar,
            help=option.help,
            action="append" if option.repeatable else "store",
            default=None,
        )
        parser.addini(
            option.ini,
            f"default of {option.flag}: {option.help}",
            type=kind,
            default=None,
        )


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks known that other plugins can implement."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Set a benchmark up when a model is chosen; else do nothing."""
    config.addinivalue_line("markers", MARK_HELP)
    try:
        settings = read_settings(
            config.getoption,
            config.getini,
            root=config.rootpath,
            start=config.invocation_params.dir,
        )
        if settings.models:
            from pytest_llmbench.set_up import set_up_bench  # noqa: PLC0415  # costs nothing unused

            set_up_bench(config, settings)
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a model, skip the tasks and tell how to run them."""
    if config.pluginmanager.has_plugin("llmbench-bench"):
        return
    for item in items:
        if item.get_closest_marker("llm_task") is not None:
            item.add_marker(pytest.mark.skip(reason=NO_MODEL))
