"""The harness of the plugin's own tests: small projects, run plain and with -n2."""

import functools
from collections.abc import Mapping

import pytest

import once_proven
import pytest_llmbench.attempts  # what is imported here is not imported anew by every run below
import pytest_llmbench.plan_only  # noqa: F401
from small_projects import RunBench, WriteAnswers


@pytest.fixture(params=[(), ("-n2",)], ids=["plain", "n2"])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The arguments that choose how many processes run the tests."""
    arguments: tuple[str, ...] = request.param
    return arguments


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project whose runs see no setting of this one, and start quickly.

    Processes keep what they compile, and leave out plugins that import much for nothing here.
    Runs inside this process share the proof of the sandbox.
    """
    once = functools.partial(pytester.inline_run, plugins=[once_proven])
    monkeypatch.setattr(pytester, "inline_run", once)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:anyio -p no:hypothesispytest")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\n")
    return pytester


@pytest.fixture
def answers(project: pytest.Pytester) -> WriteAnswers:
    """Write a folder of answers for `file/<folder>`: file name → text."""

    def write(folder: str, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            path = project.path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def run_bench(project: pytest.Pytester, workers: tuple[str, ...]) -> RunBench:
    """Run the project's tests in this way of distribution."""

    def run(*arguments: str) -> pytest.RunResult:
        return project.runpytest_inprocess("-p", "no:randomly", *workers, *arguments)

    return run
