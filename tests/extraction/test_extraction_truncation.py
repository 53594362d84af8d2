"""What is known of an answer's end (rule T)."""

from __future__ import annotations

import pytest

from pytest_llmbench.extraction import extract_files

CODE = "def add(a, b):\n    return a + b\n"
CUT = 'def add(a, b):\n    print(f"{a} and {b'


@pytest.mark.parametrize("word", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"])
def test_t_the_stop_reason_length_means_cut_whatever_the_text(word: str) -> None:
    extraction = extract_files(f"```python\n{CODE}```\n", stop_reason=word)
    assert extraction.truncated is True
    assert extraction.main == CODE


@pytest.mark.parametrize("word", ["end", "stop", "end_turn", "stop_sequence", "STOP", "refused"])
def test_t_another_stop_reason_means_whole_whatever_the_text(word: str) -> None:
    assert extract_files(f"```python\n{CUT}", stop_reason=word).truncated is False


@pytest.mark.parametrize("word", [None, "unknown", "", "no such word"])
def test_t_without_a_stop_reason_a_cut_is_only_suspected(word: str | None) -> None:
    assert extract_files(f"```python\n{CUT}", stop_reason=word).truncated == "suspected"
    assert extract_files(f"```python\n{CODE}```\n", stop_reason=word).truncated is False


@pytest.mark.parametrize("opening", ["Here:\n```python\n", "```\n", "", "Here you are:\n\n"])
@pytest.mark.parametrize("code", [CUT, f"import os\n\n\n{CODE}\n\n{CUT}"])
def test_t_code_that_is_cut_is_extracted_to_its_end(opening: str, code: str) -> None:
    extraction = extract_files(opening + code, stop_reason="length")
    assert extraction.main == f"{code}\n"
    assert extraction.reason is None


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (f"```python\n{CUT}", "is not closed and does not parse"),
        (f"```python\n{CODE}", "is not closed and parses"),
        (f"```python\n{CODE}```\nNow th", "is closed and parses"),
    ],
)
def test_t_the_state_of_the_last_block_is_recorded(answer: str, state: str) -> None:
    assert extract_files(answer, stop_reason="length").warnings == (
        f"the answer was cut off: its last block {state}",
    )


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{CODE}",
        f"```python\n{CODE}```\n```\nDone.",
        f"```python\n{CODE}```\nAnd that is it.\n```\nBye, and good luck with it.",
        f"```python\n{CODE}\nThis function adds two numbers and returns them.\n",
        f"```python\n{CODE}```\nRun it:\n```bash\npython add.py",
        "The answer is cut in the middle of a sen",
        CODE,
    ],
)
def test_t_no_alarm_for_a_missing_closer_a_stray_fence_or_prose(answer: str) -> None:
    assert extract_files(answer).truncated is False


def test_t_another_language_is_suspected_by_its_brackets() -> None:
    answer = "```go\nfunc main() {\n\tfmt.Println("
    assert extract_files(answer, "main.go").truncated == "suspected"
    assert extract_files("```go\nfunc main() {\n}\n", "main.go").truncated is False


def test_t_files_before_the_cut_are_all_there() -> None:
    answer = f"**a.py**\n```python\n{CODE}```\n\n**b.py**\n```python\n{CUT}"
    extraction = extract_files(answer, "a.py", stop_reason="length")
    assert extraction.files == {"a.py": CODE, "b.py": f"{CUT}\n"}
