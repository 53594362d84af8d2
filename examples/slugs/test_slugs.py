"""A small suite of one's own: a function to write, and a program to build around it."""

import pytest

from pytest_llmbench import Rubric, Solution


@pytest.mark.llm_task(
    prompt=(
        "Write a Python module slugs.py with a function slugify(title: str) -> str. "
        "It returns the title in lower case, with every run of characters that are neither "
        "letters nor digits replaced by one hyphen, and no hyphen at either end."
    ),
    points={"syntax": 20, "behaviour": 80},
    entry="slugs.py",
    defines=["slugify"],
    reference="reference_slugs.py",
)
def test_slugify(solution: Solution, rubric: Rubric) -> None:
    """The suite's own tests judge the function; each counts as one check."""
    with rubric.check("syntax", "parses"):
        solution.parse()
    outcome = solution.run_pytest("given/slug_cases.py")
    for name, verdict in outcome.tests.items():
        with rubric.check("behaviour", name.rpartition("::")[2]):
            assert verdict == "passed", outcome.stdout


@pytest.mark.llm_task(
    prompts={
        "terse": "A Python program slug.py that prints the slug of its argument.",
        "explicit": (
            "Write one Python program, slug.py. It takes a title as its only command-line argument "
            "and prints its slug: lower case, one hyphen for every run of characters that are "
            "neither letters nor digits, no hyphen at either end. Without an argument it prints "
            "a usage line to stderr and exits with 2."
        ),
    },
    points={"output": 70, "usage": 30},
    entry="slug.py",
    reference="reference_slug_program.py",
)
def test_slug_program(solution: Solution, rubric: Rubric) -> None:
    """The program is judged by what it prints and how it ends."""
    for title, slug in {"Hello, World!": "hello-world", "  A  b ": "a-b", "42": "42"}.items():
        with rubric.check("output", title):
            done = solution.run(title)
            assert done.returncode == 0, done.stderr
            assert done.stdout.strip() == slug
    with rubric.check("usage", "without an argument"):
        done = solution.run()
        assert done.returncode == 2
        assert "usage" in done.stderr.lower()
