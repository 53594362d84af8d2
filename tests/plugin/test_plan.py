"""`--llm-plan`, and the cap on what a run may cost, in whole runs."""

from pathlib import Path

import pytest

from small_projects import COUNTING_PROVIDER, ECHO_SUITE, RunBench, asked, read_report

TWO_ENDPOINTS = COUNTING_PROVIDER.replace('"counting.invalid"', 'model.name + ".invalid"')
PRICES = """
[prices]
"counting/a" = {input = 0, output = 10000}
"counting/b" = {input = 0, output = 10000}
"""
"""$0.01 a token: an answer of up to 100 tokens may cost $1, and the counting provider's 12 tokens
cost $0.12."""


@pytest.fixture
def echo(project: pytest.Pytester) -> pytest.Pytester:
    """Three tasks, and a provider that writes down what it is asked."""
    project.makeconftest(TWO_ENDPOINTS)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "3"))
    (project.path / "llmbench.toml").write_text(PRICES)
    return project


def files(folder: Path) -> set[str]:
    """What lies in a project, without Python's own caches."""
    paths = (path.relative_to(folder) for path in folder.rglob("*"))
    return {str(path) for path in paths if "__pycache__" not in path.parts}


def test_a_plan_asks_runs_and_writes_nothing(echo: pytest.Pytester, run_bench: RunBench) -> None:
    """Also under -n2: the plan is made by pytest itself, without workers."""
    before = files(echo.path)
    result = run_bench(
        "--llm-models=counting/a,counting/new", "--llm-samples=2", "-k", "t0 or t1",
        "--llm-max-tokens=100", "--llm-plan", "--llm-report=out.json", "--llm-max-cost=5",
    )  # fmt: skip
    assert result.ret == pytest.ExitCode.OK
    assert asked(echo.path) == []
    assert files(echo.path) == before
    result.stdout.fnmatch_lines(
        [
            "*llmbench plan: nothing is asked, run or written*",
            "counting/a = counting/a",
            "  server    a.invalid (cloud), reachable",
            "  key       not told",
            "  answers   4 to ask for; 0 from recordings",
            "  cost      about $4.00, at most $4.00 (estimate; prices:",
            "counting/new = counting/new",
            "  cost      not known; give its price in [[]tool.llmbench.prices[]]",
            "model         to ask   there cost about    at most time about",
            "counting/a         4       0      $4.00      $4.00    unknown",
            "counting/new       4       0    unknown    unknown    unknown",
            "all                8       0    unknown    unknown    unknown",
            "The cap of $5.00 (llm_max_cost) lets nothing be asked of counting/new: the price",
            "  is not known.",
            "Nothing is missing, as far as this can be seen from here.",
            "*8/12 tests collected (4 deselected)*",
        ]
    )
    assert "[gw0]" not in result.stdout.str()
    assert "workers" not in result.stdout.str()


def test_a_plan_counts_what_recordings_hold(echo: pytest.Pytester) -> None:
    model = "--llm-models=counting/a"
    echo.runpytest_inprocess(model, "-k", "t0")
    result = echo.runpytest_inprocess(model, "--llm-plan", "--llm-record-mode=new_episodes")
    result.stdout.fnmatch_lines(["  answers   2 to ask for; 1 from recordings"])
    missing = echo.runpytest_inprocess(model, "--llm-plan", "--llm-record-mode=none")
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    missing.stdout.fnmatch_lines(
        [
            "Missing (1):",
            "  counting/a: 2 of 3 answers are not recorded; ask for them with",
            "    --llm-record-mode=new_episodes",
        ]
    )
    assert asked(echo.path) == ["t0 0"]


def test_what_is_missing_is_told_with_its_remedy_and_exit_code_4(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four models one has no key, one no server, and one no answers."""
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("MOONSHOT_API_KEY", raising=False)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "1"))
    result = project.runpytest_inprocess(
        "--llm-models=junk,kimi-k2.6,ollama/m?host=127.0.0.1:9,file/gone", "--llm-plan"
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        [
            "  answers   1 answer there already; no server, no key, no cost",
            "Missing (3):",
            "  kimi-k2.6: *MOONSHOT_API_KEY*",
            "  ollama/m?host=127.0.0.1:9: ollama/m: no Ollama server at http://127.0.0.1:9;",
            "    is `ollama serve` running?",
            "  file/gone:*",
            "    there is no such file or folder",
        ]
    )


def test_a_plan_without_tasks_says_so(project: pytest.Pytester) -> None:
    project.makepyfile(test_plain="def test_plain(): pass")
    result = project.runpytest_inprocess("--llm-models=junk", "--llm-plan", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_plan_needs_a_model(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("--llm-plan")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --llm-plan: which models? Add --llm-models=NAME,…"])


@pytest.mark.parametrize("distribution", [(), ("-n2",)], ids=["plain", "n2"])
def test_a_run_stops_asking_before_its_cap_is_passed(
    project: pytest.Pytester, distribution: tuple[str, ...]
) -> None:
    """Two endpoints, under -n2 on two workers, share the cap of $2: nine answers of $0.12 each
    leave less than the $1 that a tenth might cost."""
    project.makeconftest(TWO_ENDPOINTS)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "6"))
    (project.path / "llmbench.toml").write_text(PRICES)
    result = project.runpytest_inprocess(
        *distribution, "-p", "no:randomly", "--llm-models=counting/a,counting/b",
        "--llm-max-tokens=100", "--llm-max-cost=2", "--llm-report=out.json",
    )  # fmt: skip
    result.assert_outcomes(passed=9, errors=3)
    assert len(asked(project.path)) == 9
    report = read_report(project.path / "out.json")
    scored = [each for each in report["results"] if each["status"] == "scored"]
    assert [each["generation"]["cost_usd"] for each in scored] == pytest.approx([0.12] * 9)
    assert {each["generation"]["details"]["price_source"] for each in scored} == {
        "[tool.llmbench.prices]"
    }
    unscored = [each for each in report["results"] if each["status"] == "unscored"]
    assert {each["reason"] for each in unscored} == {
        "not asked: the cap of $2.00 (llm_max_cost) would be passed: "
        "$1.08 spent, up to $1.00 for this answer"
    }
    assert report["totals"]["cost_usd"] == pytest.approx(1.08)


def test_what_was_recorded_keeps_its_cost_and_counts_not_against_the_cap(
    echo: pytest.Pytester,
) -> None:
    arguments = ["--llm-models=counting/a", "--llm-max-tokens=100", "--llm-report=out.json"]
    echo.runpytest_inprocess(*arguments)
    (echo.path / "llmbench.toml").write_text(PRICES.replace("10000", "99999"))
    again = echo.runpytest_inprocess(
        *arguments, "--llm-record-mode=new_episodes", "--llm-max-cost=0.01"
    )
    again.assert_outcomes(passed=3)
    results = read_report(echo.path / "out.json")["results"]
    assert [each["generation"]["cost_usd"] for each in results] == pytest.approx([0.12] * 3)


def test_a_cap_that_is_no_amount_is_one_line(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nllm_max_cost = much\n")
    result = project.runpytest_inprocess("--llm-models=junk")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: llm_max_cost: got 'much', expected an amount in USD above 0, such as 0.50"]
    )
