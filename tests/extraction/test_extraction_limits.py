"""Whatever the text: nothing is raised, nothing leaves the folder, nothing takes long."""

from __future__ import annotations

import posixpath
import statistics
import threading
import time
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_llmbench.extraction import Extraction, extract_files

PIECES = [
    "```", "````", "~~~", "```python", "``` python", "```py app.py", "```python path=../x.py",
    "```\n", "\n", "\n\n", "    ", "\t", "> ", "- ", "1. ", "`", "<think>", "</think>", "<think",
    "</s>", "<|im_end|>", "### Instruction", "USER:", "<code>", "</code>", "[PYTHON]", "[/PYTHON]",
    '<file path="a/../../b.py">', '<file path="b.py">', "</file>", "===== a.py =====",
    "===== /etc/passwd.py =====", "**../../x.py**", "`C:\\x.py`:", "# ~/x.py", "a.py", "b/a.py",
    "a.py/c.py", "def f(x):", "    return x", "class A: pass", "import os", '"""', "'''", "'", '"',
    "(", ")", "[", "{", "}", "\\", "#", "...", "# unchanged", ">>> f(1)", "x = 1", "print(1)",
    "Final:", "Hello there.", "I'm sorry", "\r", "\r\n", "\x1b[1m", "\0", "\ufeff", "\u2028",
    "\ud800", "é", "✓", "Output: 1", "&lt;", "1if 1else 2", "'\\d'", "b'\\u'", "match x:", "async",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join)
NAMES = st.sampled_from(["solution.py", "main.go", "../x.py", "", "/a.py", "b", "a\0"]) | st.text(
    max_size=12
)


def check(extraction: Extraction, entry: str) -> None:
    """What holds for every extraction."""
    for path, text in extraction.files.items():
        assert path
        assert not path.startswith(("/", "~", "../"))
        assert "\\" not in path
        assert "\0" not in path
        assert ":" not in path[:2]
        assert path == posixpath.normpath(path)
        assert len(path) <= 250
        assert not any(other.startswith(f"{path}/") for other in extraction.files)
        assert text.encode()
        assert text.endswith("\n")
        assert "\r" not in text
    assert (extraction.reason is None) == bool(extraction.files)
    assert extraction.main is None or extraction.main in extraction.files.values()
    if entry in extraction.files:
        assert extraction.main == extraction.files[entry]
    assert extraction.truncated in (True, False, "suspected")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=TEXTS, entry=NAMES, asked=st.lists(NAMES, max_size=3), stop=NAMES | st.none())
def test_nothing_raises_and_nothing_leaves_the_folder(
    answer: str, entry: str, asked: list[str], stop: str | None
) -> None:
    """For answers made of what answers are made of, and for hostile names; nothing is warned of."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        check(extract_files(answer, entry, asked, asked, stop), entry)
    assert not seen


@settings(max_examples=200, deadline=None)
@given(answer=st.text(alphabet=st.characters(), max_size=300))
def test_any_text_at_all_is_survived(answer: str) -> None:
    check(extract_files(answer), "solution.py")


@settings(max_examples=100, deadline=None)
@given(
    body=st.lists(st.sampled_from(["def f():", "    pass", "x = 1", "", "  y", "# é"]), max_size=9)
)
def test_a_block_is_written_byte_for_byte(body: list[str]) -> None:
    """Whatever the body, tagged and named it comes back as it was, with one final newline."""
    text = "\n".join(body)
    extraction = extract_files(f"```python app.py\n{text}\n```\n", "app.py")
    assert extraction.files == {"app.py": text.rstrip("\n") + "\n"}


ORDINARY = (
    "<think>\nThe user wants a todo program. I will use sqlite3.\n</think>\n\nHere it is:\n\n"
    "```python\n"
    + "".join(
        f"def command_{n}(connection, title):\n"
        f'    """Run command {n}.\n\n    Example: `todo command_{n}`.\n    """\n'
        f"    rows = [row for row in connection if row[0] > {n}]\n"
        f"    rows.sort(key=lambda row: (row[1], -row[0]), reverse=bool({n} % 2))\n"
        f'    return [f"{{row[0]}}: {{row[1]:<{n + 10}}}" for row in rows if title in row[1]]\n\n\n'
        for n in range(20)
    )
    + "```\n\nRun it with:\n\n```bash\npython todo.py\n```\n\nIt stores its data in a file.\n"
)


def test_an_ordinary_answer_is_read_in_under_10_ms() -> None:
    """The median of 21 readings of an answer of 1,400 tokens."""
    assert 4_000 < len(ORDINARY) < 8_000
    times_s = []
    for _ in range(21):
        start_s = time.process_time()
        extraction = extract_files(ORDINARY, "todo.py", stop_reason="end")
        times_s.append(time.process_time() - start_s)
        assert extraction.main is not None
    assert statistics.median(times_s) < 0.010


SIZE = 100_000
HOSTILE = {
    "brackets": "(",
    "braces in a block": "{[(",
    "unary minus": "-",
    "not": "not ",
    "additions": "1+",
    "calls": "f()",
    "attributes": "a.",
    "lambdas": "lambda:",
    "fences": "```\n",
    "tagged fences": "```python\n",
    "small blocks": "```python\nx=1\n```\n",
    "untagged blocks": "```\nx=1\n```\n\n",
    "tildes": "~~~\n",
    "quoted fences": "> ```\n",
    "fences with chat": "``` foo bar baz\n",
    "fences in lists": "- ```python\n  x=1\n",
    "glued fences": "text ```python\n",
    "fences in open strings": '```python\n"""\n',
    "strings and fences": '"""\n```\n',
    "markdown blocks": "```markdown\n```python\n",
    "named markdown": "**a.md**\n```markdown\n```\n",
    "named blocks": "**a.py**\n```python\nx=1\n```\n",
    "broken blocks": "```python\ndef f(x):\n    return x x\n```\n",
    "sessions": "```\n>>> (\n```\n",
    "openers of reasoning": "<think>\n",
    "close tags": "</think>\n",
    "close tags and fences": "</think>\n```python\n",
    "quoted close tags": '"</think>" ',
    "end tokens": "`</s>` ",
    "code tags": "<code>",
    "file tags": '<file path="a.py">\n',
    "sections": "===== a.py =====\n",
    "definitions": "def f(\n",
    "definitions in prose": "def f():\n  return 1\nHello there my friend\n",
    "assignments": "x = (\n",
    "statements": "a;",
    "decorators": "@a\n",
    "prose": "Hello there my friend, how are you?\n",
    "blank lines": "\n",
    "blanks": " ",
    "quotes": "'",
    "backslashes": "\\",
    "backticks": "`",
    "NULs": "```python\n\0\n```\n",
    "digits": "1",
    "attributes of fences": "```a=b ",
    "info words": "a",
    "quoted names": "`a.py`\n```\nx=1\n```\n",
    "elisions": "```python a.py\ndef f():\n    ...\n```\n",
}


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("opening", ["", "```python\n"], ids=["bare", "in a block"])
def test_100_000_hostile_characters_are_read_in_under_2_s(piece: str, opening: str) -> None:
    answer = (opening + piece * (SIZE // len(piece) + 1))[:SIZE]
    start_s = time.process_time()
    extraction = extract_files(answer, expects=("a.md", "b.py"), defines=("f",))
    assert time.process_time() - start_s < 2
    check(extraction, "solution.py")


def test_200_000_fences_are_read_in_under_4_s() -> None:
    start_s = time.process_time()
    check(extract_files("```\n" * 200_000), "solution.py")
    assert time.process_time() - start_s < 4


@settings(max_examples=12, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join))
def test_any_pattern_repeated_is_read_in_under_2_s(pieces: str) -> None:
    answer = (pieces * (SIZE // len(pieces) + 1))[:SIZE]
    start_s = time.process_time()
    check(extract_files(answer, expects=("a.py",), defines=("f",)), "solution.py")
    assert time.process_time() - start_s < 2


def test_a_large_honest_program_is_read_whole() -> None:
    code = "".join(f"def f{n}(x):\n    return [x + {n}, {{'k': x}}]\n\n\n" for n in range(8_000))
    code = code.rstrip("\n") + "\n"
    assert len(code) > 350_000
    assert extract_files(f"Here:\n```python\n{code}```\n").main == code


WARNING_CODE = (
    "import re\n\nONE = 1if re else 0x1f if .5else 1.or 0b1and 2\n"
    "PATTERN = re.compile('\\d+\\.\\w')\n"
    "PATH = b'\\N \\u'\nOCTAL = '\\777'\nSAME = 1 is 1\n"
    "\n\ndef leave(x):\n    while x:\n        try:\n            break\n        finally:\n"
    "            if x: continue\n            return x, *x\n"
)


def test_code_that_python_warns_of_causes_no_warning() -> None:
    """Escapes that mean nothing and glued numbers are the model's business, not the user's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extraction = extract_files(f"```python\n{WARNING_CODE}```\n")
    assert extraction.main == WARNING_CODE


def test_the_warnings_filters_are_left_alone() -> None:
    """They belong to all threads: changing them for a moment could undo another's change."""
    seen: list[object] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.append(warnings.filters)

    before = warnings.filters
    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20):
        extract_files(f"```python\n{WARNING_CODE}```\n")
    stop.set()
    watcher.join()
    assert all(filters is before for filters in seen)
