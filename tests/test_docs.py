"""The pages that repeat what the code says repeat it exactly."""

import re
from pathlib import Path

import pytest

from pytest_llmbench.models import BUILT_IN_MODELS
from pytest_llmbench.settings import OPTIONS, Option

DOCS = Path(__file__).parent.parent / "docs"


def section(page: str, name: str) -> str:
    """What a page holds between its marks, which is made from the code."""
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert found is not None
    return found[1]


def option_row(option: Option) -> str:
    ini = "" if option.one_off else f"`{option.ini}`"
    default = "" if option.default in (None, (), False) else f"`{option.default}`"
    return f"| `{option.flag}` | {ini} | {option.help} | {default} |\n"


def test_the_table_of_options_is_the_codes() -> None:
    rows = [option_row(option) for option in OPTIONS]
    head = "| option | ini | what it does | default |\n| --- | --- | --- | --- |\n"
    assert section("options.md", "options") == head + "".join(rows)


def test_the_table_of_aliases_is_the_codes() -> None:
    rows = [
        f"| `{name}` | {f'`{target}`' if isinstance(target, str) else ', '.join(target)} |\n"
        for name, target in BUILT_IN_MODELS.items()
    ]
    assert section("options.md", "aliases") == "| name | is |\n| --- | --- |\n" + "".join(rows)


def test_the_tutorial_says_the_truth(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files, taken from the page as they stand, do what the page says."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    page = (DOCS / "tutorial" / "first-suite.md").read_text(encoding="utf-8")
    suite, reference, rows = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    answer = re.search(r"^(    Here is your program:.*?    ```)\n", page, re.DOTALL | re.MULTILINE)
    assert answer is not None
    pytester.makepyfile(test_greet=suite, test_rows=rows)
    (pytester.path / "reference_greet.py").write_text(reference)
    (pytester.mkdir("answers") / "greet.md").write_text(re.sub(r"(?m)^    ", "", answer[1]))

    result = pytester.runpytest_inprocess("test_greet.py", "--llm-models=reference,junk")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["reference  *100", "junk  * 0"])

    result = pytester.runpytest_inprocess("test_greet.py", "--llm-models=file/answers")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["score 20 of 100, below 100: 2 of 3 checks failed"])

    result = pytester.runpytest_inprocess("test_rows.py", "--llm-models=junk", "--collect-only")
    result.assert_outcomes()
    result.stdout.fnmatch_lines(["*test_rows[[]junk-add-2[]]*"])


def test_the_readme_shows_what_its_first_command_prints(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's report, line by line, at 80 columns."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- output of the demo -->\n```text\n(.*?)```", readme, re.DOTALL)
    command = re.search(r"&& \.venv/bin/pytest (.*)", readme)
    assert shown is not None
    assert command is not None
    result = pytester.runpytest_inprocess(*command[1].split())
    result.assert_outcomes(passed=6)
    heading = next(line for line in result.outlines if " llmbench " in line)
    printed = result.outlines[result.outlines.index(heading) : -1]
    assert "\n".join(printed) + "\n" == shown[1]
