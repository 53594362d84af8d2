"""A user's mistake is one clear line, and nothing is lost by it."""

import pytest

from small_projects import GREET_SUITE, RunBench, read_report, results_by_nodeid

USAGE = pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["--llm-models=antropic/claude"],
            "ERROR: --llm-models: 'antropic/claude': there is no provider 'antropic'; "
            "did you mean 'anthropic'? known are *",
        ),
        (
            ["--llm-models="],
            "ERROR: --llm-models names no model; write for example devstral,sonnet",
        ),
        (
            ["--llm-models=ollama/a::b"],
            "ERROR: --llm-models: 'ollama/a::b' holds '::', which pytest needs for itself; "
            "give the model an alias in [[]tool.llmbench.models[]] and use that",
        ),
        (
            ["--llm-models=reference", "--llm-samples=some"],
            "ERROR: --llm-samples: got 'some', expected a whole number of at least 1",
        ),
        (
            ["--llm-models=reference", "--llm-fail-under=101"],
            "ERROR: --llm-fail-under: got '101', expected a number from 0 to 100",
        ),
        (
            ["--llm-models=reference", "--llm-timeout=0"],
            "ERROR: --llm-timeout: got '0', expected a number of seconds above 0",
        ),
        (
            ["--llm-models=reference", "--llm-report=out.xls"],
            "ERROR: --llm-report: *out.xls: unknown kind of report ('.xls'); known suffixes: *",
        ),
        (
            ["--llm-models=reference", "--llm-sandbox=cardboard"],
            "ERROR: --llm-sandbox: there is no sandbox named 'cardboard'; there are auto, *",
        ),
        (
            ["--llm-models=reference", "--llm-prompts=polite"],
            "ERROR: --llm-prompts: no task has a prompt 'polite'; there are default",
        ),
        (
            ["--llm-models=demo/nothing"],
            "ERROR: --llm-models: 'demo/nothing': there is no such demo; "
            "there are argparse, argv, cut-off, menu, minimal, thinking-menu",
        ),
        (
            ["--llm-models=file/"],
            "ERROR: --llm-models: 'file/' names no model: write file/PATH",
        ),
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(
    project: pytest.Pytester, arguments: list[str], line: str
) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    result = project.runpytest_inprocess(*arguments)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([line])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("llmbench.toml", "[models", "ERROR: llmbench.toml cannot be read: *"),
        (
            "llmbench.toml",
            "[models]\nhome = 3",
            "ERROR: llmbench.toml: model 'home' is 3; "
            'expected a spec such as "ollama/devstral", or a list of names',
        ),
        (
            "pyproject.toml",
            "[tool.llmbench.model]\nhome = 'x'",
            "ERROR: pyproject.toml: llmbench has no key 'model'; it knows *models*",
        ),
    ],
)
def test_a_broken_settings_file_is_a_usage_error(
    project: pytest.Pytester, file: str, text: str, line: str
) -> None:
    (project.path / file).write_text(text)
    result = project.runpytest_inprocess("--llm-models=home")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([line])


@pytest.mark.parametrize(
    ("mark", "line"),
    [
        ("", "llm_task needs a prompt: prompt='…' or prompts={'name': '…'}"),
        ("prompt=' '", "llm_task: the prompt 'default' is ' '; expected a text"),
        (
            "prompt='a', prompts={'b': 'c'}",
            "llm_task takes prompt= or prompts=, not both",
        ),
        (
            "prompt='a', points={'x': -5}",
            "llm_task(points=…): 'x' has -5 points; expected a number that is not negative",
        ),
        ("prompt='a', points={'': 5}", "llm_task(points=…): '' names no category"),
        ("prompt='a', points={'x': 0}", "llm_task(points={'x': 0}): no category has any points"),
        ("prompt='a', promt='b'", "llm_task has no keyword promt=; did you mean prompt=?"),
        (
            "prompt='a', max_tokens='many'",
            "llm_task(max_tokens='many'): expected a whole number of at least 1",
        ),
        (
            "prompt='a', reference='gone.py'",
            "llm_task(reference='gone.py') cannot be read: *No such file or directory*; "
            "a solution that is no path needs a line break",
        ),
        ("'do it'", "llm_task takes keywords only: prompt='…'"),
        (
            "prompts={'a::b': 'do it'}",
            "llm_task(prompts=…): the prompt's name 'a::b' holds '::', "
            "which pytest needs for itself",
        ),
        (
            "prompt='a', name='a::b'",
            "llm_task(name='a::b'): it holds '::', which pytest needs for itself",
        ),
        (
            "prompt='a', name='a b'",
            "llm_task(name='a b'): it holds white space or control characters",
        ),
        (
            "prompt='a', name='../up'",
            "llm_task(name='../up'): expected a name such as 'todo' or 'group/todo'",
        ),
    ],
)
def test_a_mark_that_cannot_be_is_one_line_with_its_place(
    project: pytest.Pytester, mark: str, line: str
) -> None:
    project.makepyfile(
        test_it=f"""
        import pytest

        @pytest.mark.llm_task({mark})
        def test_it(rubric):
            pass
        """
    )
    result = project.runpytest_inprocess("--llm-models=reference")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([f"ERROR: test_it.py::test_it: {line}"])


def test_tasks_of_one_name_must_ask_the_same(project: pytest.Pytester, run_bench: RunBench) -> None:
    """The same mistake in one process and on workers ends in the same line and exit code."""
    for name in "ab":
        project.makepyfile(
            **{
                f"test_{name}": f"""
                import pytest

                @pytest.mark.llm_task(prompt="{name}", name="same")
                def test_{name}(rubric):
                    pass
                """
            }
        )
    result = run_bench("--llm-models=reference")
    assert result.ret == USAGE
    line = (
        "ERROR: test_b.py::test_b[[]reference[]] and test_a.py::test_a[[]reference[]] are both "
        "named 'same' but ask differently; give one of them another llm_task(name=…)"
    )
    seen = result.stderr if any("ERROR" in each for each in result.errlines) else result.stdout
    seen.fnmatch_lines([line])


def test_a_report_that_cannot_be_written_costs_no_result(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    """The tables reach the terminal, the other report is written, the exit code tells the rest."""
    project.makepyfile(test_greet=GREET_SUITE)
    (project.path / "taken").write_text("a file, not a folder")
    result = run_bench(
        "--llm-models=reference", "--llm-report=taken/out.json", "--llm-report=good.json"
    )
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(
        [
            "reference  *100",
            "ERROR: --llm-report=*taken/out.json: cannot be written: *",
        ]
    )
    assert read_report(project.path / "good.json")["results"][0]["score"] == 100.0


HINT = "llmbench: no tasks were found here. A suite that ships: "


def test_a_model_without_tasks_tells_how_to_run_a_suite(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    """The models stand there as the user typed them."""
    result = run_bench("--llm-models=demo,junk")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(
        [f"{HINT}pytest --pyargs pytest_llmbench.suites.round1 --llm-models=demo,junk"]
    )


def test_ordinary_tests_alone_are_no_tasks_either(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile("def test_ordinary():\n    pass\n")
    result = run_bench("--llm-models=junk")
    result.assert_outcomes(passed=1)
    assert result.outlines[-2] == (
        f"{HINT}pytest --pyargs pytest_llmbench.suites.round1 --llm-models=junk"
    )


def test_ordinary_tests_of_a_project_that_names_its_models_are_left_in_peace(
    project: pytest.Pytester,
) -> None:
    project.makeini("[pytest]\nllm_models = junk\n")
    project.makepyfile("def test_ordinary():\n    pass\n")
    project.runpytest_inprocess().stdout.no_fnmatch_line("*no tasks were found*")


def test_tasks_that_were_deselected_are_not_said_to_be_missing(
    project: pytest.Pytester, run_bench: RunBench
) -> None:
    project.makepyfile(test_greet=GREET_SUITE)
    result = run_bench("--llm-models=junk", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.no_fnmatch_line("*no tasks were found*")


MISTAKEN = """
import pytest

@pytest.mark.llm_task(prompt="p", points={"works": 100}, reference="\\nprint('hi')\\n")
def test_nul(solution, rubric):
    solution.run("a\\0b")

@pytest.mark.llm_task(prompt="p", points={"works": 100}, reference="\\nprint('hi')\\n")
def test_empty(solution, rubric):
    solution.exec()

@pytest.mark.llm_task(prompt="p", points={"works": 100}, reference="\\nprint('hi')\\n")
def test_category(solution, rubric):
    with rubric.check("work", "greets"):
        pass
"""


def test_a_mistake_in_a_test_is_shown_at_the_suites_own_line(project: pytest.Pytester) -> None:
    """It is the suite's fault, and none of the plugin's source is printed."""
    project.makepyfile(test_it=MISTAKEN)
    result = project.runpytest_inprocess("--llm-models=reference", "--llm-report=out.json")
    result.assert_outcomes(failed=3)
    results = results_by_nodeid(project.path / "out.json")
    assert {
        nodeid.partition("::")[2]: (each["fault"], each["reason"])
        for nodeid, each in results.items()
    } == {
        "test_nul[reference]": (
            "suite",
            "ValueError: a program's arguments and environment hold no NUL; got 'a\\x00b'",
        ),
        "test_empty[reference]": ("suite", "ValueError: solution.exec(): expected a command"),
        "test_category[reference]": (
            "suite",
            "ValueError: rubric.check('work', 'greets'): "
            "the task 'category' gives points for works",
        ),
    }
    result.stdout.no_fnmatch_line("*solution.py:*")
    result.stdout.no_fnmatch_line("*rubric.py:*")
    result.stdout.no_fnmatch_line("*contextlib.py:*")


def test_a_failure_text_begins_with_words(project: pytest.Pytester) -> None:
    """An assertion whose message is empty is told by what was compared."""
    project.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.llm_task(prompt="p", reference="import sys\\nsys.exit(3)\\n")
        def test_it(solution, rubric):
            with rubric.check("works", "ends well"):
                done = solution.run()
                assert done.returncode == 0, done.stderr
        """
    )
    result = project.runpytest_inprocess("--llm-models=reference")
    result.stdout.fnmatch_lines(
        [
            "score 0 of 100, below 100: 1 of 1 checks failed",
            "  works: ends well: assert 3 == 0",
            "*where 3 = ProgramResult(returncode=3, stdout='', stderr='').returncode",
        ],
        consecutive=True,
    )


def test_a_model_is_named_once_in_the_error_of_its_set_up(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    project.makepyfile(test_greet=GREET_SUITE)
    (project.path / "llmbench.toml").write_text("[models]\nmine = 'anthropic/some'\n")
    result = project.runpytest_inprocess("--llm-models=anthropic/some,mine")
    result.assert_outcomes(errors=2)
    lines = [line for line in result.outlines if "ANTHROPIC_API_KEY" in line]
    assert any(line.startswith("anthropic/some: ") for line in lines)
    assert any(line.startswith("mine: anthropic/some: ") for line in lines)
    assert not any("anthropic/some: anthropic/some" in line for line in lines)
