"""A well-mannered plugin: it costs nothing unless asked, and pytest stays pytest."""

import json
import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree as ET

import pytest

from small_projects import (
    COUNTING_PROVIDER,
    ECHO_SUITE,
    GREET_SUITE,
    INTERRUPTIBLE,
    RunBench,
    asked,
    read_report,
)

SLOW_IMPORTS = ("anthropic", "openai", "ollama", "httpx", "httpx2", "genai_prices", "parso")


def run_python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_without_a_model_a_task_is_skipped_with_a_hint(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    before = sorted(path.name for path in project.path.iterdir())
    result = run_bench("-rs", "-p", "no:cacheprovider")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED * no model chosen: add --llm-models=NAME,… (devstral, sonnet, demo, …)"]
    )
    assert "llmbench:" not in result.stdout.str()
    after = sorted(path.name for path in project.path.iterdir() if path.name != "__pycache__")
    assert after == before


def test_without_a_model_hardly_any_module_is_imported(project: pytest.Pytester) -> None:
    """The plugin's own modules without a model, by name; no SDK, and nothing else that is slow."""
    project.makepyfile("def test_nothing(): pass")
    code = (
        "import sys, pytest\n"
        "pytest.main(['-q', '--collect-only', '-p', 'no:anyio', '-p', 'no:hypothesispytest'])\n"
        "print('\\n'.join(sys.modules))"
    )
    modules = run_python(code).splitlines()
    assert sorted(name for name in modules if name.startswith("pytest_llmbench")) == [
        "pytest_llmbench",
        "pytest_llmbench.fixtures",
        "pytest_llmbench.hookspecs",
        "pytest_llmbench.plugin",
        "pytest_llmbench.settings",
    ]
    assert not set(modules) & set(SLOW_IMPORTS)


def test_without_a_model_the_plugin_adds_under_15_ms(project: pytest.Pytester) -> None:
    """CPU time of its import and registration, the least of some processes.

    15 ms are 5% of what pytest itself takes on a machine that does nothing else. The difference of
    whole processes would be lost in their noise on a busy one.
    """
    project.makepyfile("def test_nothing(): pass")
    code = """
import time, pytest

class Watch:
    def pytest_addoption(self, pluginmanager):
        start_s = time.process_time()
        pluginmanager.import_plugin("pytest_llmbench.plugin")
        print("took", time.process_time() - start_s, "s")

pytest.main(["-q", "--collect-only", "-p", "no:llmbench"], plugins=[Watch()])
"""
    took_s = [float(run_python(code).partition("took ")[2].split()[0]) for _ in range(5)]
    assert 0 < min(took_s) < 0.015


def test_no_sdk_is_imported_for_offline_models(project: pytest.Pytester) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    code = (
        "import sys, pytest\n"
        "pytest.main(['-q', '-p', 'no:anyio', '--llm-models=reference'])\n"
        "print('\\n'.join(sys.modules))"
    )
    assert not set(run_python(code).splitlines()) & set(SLOW_IMPORTS)


def test_k_lf_and_collect_only_work_on_items(project: pytest.Pytester) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    result = project.runpytest_inprocess("--llm-models=reference,junk", "-k", "junk")
    result.assert_outcomes(failed=1, deselected=1)
    result = project.runpytest_inprocess("--llm-models=reference,junk", "--lf")
    result.assert_outcomes(failed=1, deselected=0)
    result = project.runpytest_inprocess("--llm-models=reference,junk", "--collect-only", "-q")
    result.stdout.fnmatch_lines(
        ["test_greet.py::test_greet[[]reference[]]", "test_greet.py::test_greet[[]junk[]]"],
        consecutive=True,
    )
    assert "Quality" not in result.stdout.str()


def test_x_asks_for_nothing_that_has_not_started(project: pytest.Pytester) -> None:
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "40").replace('+ "\\n"', "+ '?'"))
    result = project.runpytest_inprocess(
        "-x", "--llm-models=counting/m?delay_s=0.5&concurrency=1", "--llm-report=out.json"
    )
    result.assert_outcomes(failed=1)
    assert len(asked(project.path)) < 20
    reasons = [each["reason"] for each in read_report(project.path / "out.json")["results"][1:]]
    assert reasons == ["it did not run"] * 39


def test_an_interrupt_ends_the_run_at_once_and_reports_what_there_is(
    project: pytest.Pytester,
) -> None:
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "50"))
    run = subprocess.Popen(
        [sys.executable, "-u", "-c", INTERRUPTIBLE, "-v", "-p", "no:randomly",
         "--llm-report=out.json", "--llm-models=counting/m?delay_s=0.3&concurrency=1"],
        cwd=project.path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with run:
        assert run.stdout is not None
        assert any("PASSED" in line for line in run.stdout)
        asked_before = len(asked(project.path))
        run.send_signal(signal.SIGINT)
        start_s = time.monotonic()
        output = run.stdout.read()
    assert time.monotonic() - start_s < 10
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in output
    report = read_report(project.path / "out.json")
    assert len(report["results"]) == 50
    assert {each["score"] for each in report["results"]} == {100.0, None}
    assert len(asked(project.path)) < asked_before + 10


@pytest.mark.parametrize(
    "workers", [(), ("-n0",), ("-n2",)], ids=["plain", "n0", "n2"], indirect=True
)
def test_junit_and_json_report_tell_the_score(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    run_bench(
        "--llm-models=reference,file/none", "--junitxml=junit.xml",
        "--json-report", "--json-report-file=all.json", "--llm-report=own.json",
    )  # fmt: skip
    properties = {
        (case.get("name"), each.get("name")): each.get("value")
        for case in ET.parse(project.path / "junit.xml").iter("testcase")  # noqa: S314  # our own
        for each in case.iter("property")
    }
    assert properties["test_greet[reference]", "llmbench.score"] == "100.0"
    assert properties["test_greet[file/none]", "llmbench.status"] == "unscored"
    assert ("test_greet[file/none]", "llmbench.score") not in properties
    whole = json.loads((project.path / "all.json").read_text())
    assert whole["llmbench"] == read_report(project.path / "own.json")
    assert whole["summary"]["total"] == 2


@pytest.mark.parametrize("plugin", ["xdist", "timeout", "pytest_jsonreport", "cacheprovider"])
def test_it_runs_without_other_plugins(project: pytest.Pytester, plugin: str) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", f"no:{plugin}", "--llm-models=reference"],
        cwd=project.path, capture_output=True, text=True, check=False,
        env={key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 passed" in done.stdout


def test_settings_come_from_the_ini_file_and_the_project_file(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    project.makeini("[pytest]\nllm_models = all\nllm_fail_under = 0\n")
    (project.path / "llmbench.toml").write_text(
        '[models]\nmine = "offline/reference"\nall = ["mine", "junk"]\n'
    )
    run_bench("--llm-report=out.json").assert_outcomes(passed=2)
    models = read_report(project.path / "out.json")["models"]
    assert {label: model["spec"] for label, model in models.items()} == {
        "mine": "offline/reference",
        "junk": "offline/junk",
    }
