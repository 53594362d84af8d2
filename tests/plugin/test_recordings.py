"""Every answer is kept, and found again by what was asked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from small_projects import (
    COUNTING_PROVIDER,
    ECHO_SUITE,
    RunBench,
    asked,
    read_report,
)

MODEL = "--llm-models=counting/m"


@pytest.fixture
def echo(project: pytest.Pytester) -> pytest.Pytester:
    """Three tasks, and a provider that writes down what it is asked."""
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "3"))
    return project


def recordings(project: pytest.Pytester) -> list[Path]:
    return sorted((project.path / ".llmbench" / "recordings").rglob("*.json"))


def test_a_run_records_and_the_next_one_asks_only_for_what_is_missing(
    echo: pytest.Pytester, run_bench: RunBench
) -> None:
    run_bench(MODEL, "-k", "t0 or t1", "--llm-report=a.json").assert_outcomes(passed=2)
    assert sorted(asked(echo.path)) == ["t0 0", "t1 0"]
    run_bench(MODEL, "--llm-record-mode=new_episodes", "--llm-report=b.json").assert_outcomes(
        passed=3
    )
    assert sorted(asked(echo.path)) == ["t0 0", "t1 0", "t2 0"]
    replayed = {
        result["task"]: result["generation"]["replayed"]
        for result in read_report(echo.path / "b.json")["results"]
    }
    assert replayed == {"t0": True, "t1": True, "t2": False}


def test_none_asks_for_nothing_and_tells_what_is_missing(
    echo: pytest.Pytester, run_bench: RunBench
) -> None:
    run_bench(MODEL, "-k", "t0")
    result = run_bench(MODEL, "-k", "t0 or t1", "--llm-record-mode=none")
    result.assert_outcomes(passed=1, errors=1)
    assert asked(echo.path) == ["t0 0"]
    result.stdout.fnmatch_lines(
        [
            f"counting/m: there is no recording of this answer in {echo.path / '.llmbench'}; "
            "ask for what is missing with --llm-record-mode=new_episodes"
        ]
    )


def test_without_a_mode_every_run_asks_anew_and_keeps_what_it_had(echo: pytest.Pytester) -> None:
    for _ in range(2):
        echo.runpytest_inprocess(MODEL, "-k", "t0")
    assert asked(echo.path) == ["t0 0", "t0 0"]
    assert len(recordings(echo)) == 2


@pytest.mark.parametrize(
    "change",
    ["prompt", "system", "parameters", "server", "sample", "digest", "max_tokens"],
)
def test_another_question_is_never_answered_by_an_old_recording(
    echo: pytest.Pytester, change: str
) -> None:
    (echo.path / "digest").write_text("sha256:one")
    echo.runpytest_inprocess(MODEL, "-k", "t0")
    arguments = [MODEL, "-k", "t0", "--llm-record-mode=new_episodes"]
    suite = echo.path / "test_echo.py"
    if change == "prompt":
        suite.write_text(suite.read_text().replace("Print {name}.", "Print {name}!"))
    elif change == "system":
        suite.write_text(suite.read_text().replace("prompt=", "system='Be brief.', prompt="))
    elif change == "parameters":
        arguments[0] += "?delay_s=0.01"
    elif change == "server":
        conftest = echo.path / "conftest.py"
        conftest.write_text(conftest.read_text().replace("counting.invalid", "elsewhere.invalid"))
    elif change == "sample":
        arguments.append("--llm-samples=2")
    elif change == "digest":
        (echo.path / "digest").write_text("sha256:two")
    else:
        arguments.append("--llm-max-tokens=99")
    echo.runpytest_inprocess(*arguments)
    expected = ["t0 0", "t0 1"] if change == "sample" else ["t0 0", "t0 0"]
    assert asked(echo.path) == expected


def test_a_recording_reads_as_what_was_asked_and_answered(echo: pytest.Pytester) -> None:
    echo.runpytest_inprocess(f"{MODEL}?delay_s=0.01", "-k", "t0")
    data = json.loads(one_path(recordings(echo)).read_text())
    assert data["schema_version"] == 1
    assert data["text"] == "```python\nprint('t0')\n```\n"
    assert data["question"] == {
        "spec": "counting/m?delay_s=0.01",
        "endpoint": "counting.invalid",
        "messages": [{"role": "user", "content": "Print t0."}],
        "system": None,
        "max_tokens": 16384,
        "sample": 0,
    }
    assert (data["task"], data["stop_reason"], data["provider_stop_reason"]) == (
        "t0",
        "end",
        "stop",
    )
    assert data["usage"]["output_tokens"] == 12
    assert data["versions"]["pytest-llmbench"] == "0.1.0"
    folder = echo.path / ".llmbench"
    assert (folder / ".gitignore").read_text() == "*\n"
    assert "--llm-record-mode=new_episodes" in (folder / "README.md").read_text()


def one_path(paths: list[Path]) -> Path:
    assert len(paths) == 1
    return paths[0]


def test_a_recording_of_a_newer_schema_is_refused_with_the_remedy(echo: pytest.Pytester) -> None:
    echo.runpytest_inprocess(MODEL, "-k", "t0")
    file = one_path(recordings(echo))
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    result = echo.runpytest_inprocess(MODEL, "-k", "t0", "--llm-record-mode=none")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            f"counting/m: {file} cannot be read: it has schema version 2, "
            "this pytest-llmbench reads up to 1; upgrade pytest-llmbench"
        ]
    )


def test_a_folder_that_cannot_be_written_costs_no_result(
    echo: pytest.Pytester, run_bench: RunBench
) -> None:
    (echo.path / ".llmbench").write_text("a file where the folder should be")
    result = run_bench(MODEL, "-k", "t0", "--llm-report=out.json")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(
        [f"ERROR: {echo.path / '.llmbench'}: recordings could not be written: *"]
    )
    assert read_report(echo.path / "out.json")["results"][0]["score"] == 100.0


def test_offline_models_leave_no_folder(echo: pytest.Pytester) -> None:
    echo.runpytest_inprocess("--llm-models=junk")
    assert not (echo.path / ".llmbench").exists()


def test_two_runs_at_once_lose_nothing(echo: pytest.Pytester) -> None:
    command = [sys.executable, "-m", "pytest", "-q", f"{MODEL}?delay_s=0.05", "--llm-samples=5"]
    runs = [subprocess.Popen(command, cwd=echo.path, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    texts = [json.loads(file.read_text())["text"] for file in recordings(echo)]
    assert len(texts) == len(asked(echo.path)) == 30


def test_a_killed_run_is_resumed_without_asking_twice(
    echo: pytest.Pytester, pytestconfig: pytest.Config
) -> None:
    """Ten kills at growing moments of a run of 60 items, each resumed; then the run to its end."""
    echo.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "20"))
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
        f"{MODEL}?delay_s=0.03&concurrency=1", "--llm-samples=3",
        "--llm-record-mode=new_episodes", "--llm-report=out.json",
    ]  # fmt: skip
    for kill in range(10):
        before = len(asked(echo.path))
        run = subprocess.Popen(
            command, cwd=echo.path, stdout=subprocess.DEVNULL, start_new_session=True
        )
        while len(asked(echo.path)) < before + 1 + kill % 4 and run.poll() is None:
            time.sleep(0.005)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(timeout=20)
        assert len(asked(echo.path)) - len(recordings(echo)) <= kill + 1
    finished = {json.loads(file.read_text())["task"] for file in recordings(echo)}
    in_flight = len(asked(echo.path)) - len(recordings(echo))
    assert finished
    assert in_flight <= 10
    subprocess.run(command, cwd=echo.path, stdout=subprocess.DEVNULL, check=True, timeout=120)
    assert len(recordings(echo)) == 60
    assert len(asked(echo.path)) == 60 + in_flight
    report = read_report(echo.path / "out.json")
    assert [result["score"] for result in report["results"]] == [100.0] * 60
