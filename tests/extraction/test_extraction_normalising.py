"""What is cleaned before reading, and what stays byte for byte (rules on normalising, and V)."""

from __future__ import annotations

import pytest

from pytest_llmbench.extraction import extract_files

CODE = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_line_ends_become_line_feeds(newline: str) -> None:
    answer = f"Here:\n```python\n{CODE}```\n".replace("\n", newline)
    assert extract_files(answer).files == {"solution.py": CODE}


def test_a_byte_order_mark_is_stripped() -> None:
    assert extract_files(f"\ufeff{CODE}").main == CODE


def test_terminal_codes_are_stripped() -> None:
    coloured = CODE.replace("def", "\x1b[36mdef\x1b[0m")
    answer = f"\x1b[1m\x1b[32mHere\x1b[0m\n```python\n{coloured}```\n"
    assert extract_files(answer).main == CODE


def test_half_a_character_is_replaced_so_that_files_can_be_written() -> None:
    main = extract_files('```python\nx = "\ud83d"\n```\n').main
    assert main is not None
    assert main.encode() == 'x = "\ufffd"\n'.encode()


def test_v_white_space_in_docstrings_and_at_line_ends_stays() -> None:
    docstring = '    """\n\t  Two  \n      words\n    """\n'
    code = f'def show():  \n{docstring}\n\n\n    return """  a\n b  """\n'
    assert extract_files(f"```python\n{code}```\n").main == code


def test_v_blank_lines_before_the_code_stay_and_one_line_feed_ends_it() -> None:
    assert extract_files("```python\n\n\nx = 1\n\n\n```\n").main == "\n\nx = 1\n"


def test_v_unusual_line_separators_are_no_line_ends() -> None:
    code = 'TEXT = "a\x0cb\u2028c\x85d"\n' + CODE
    assert extract_files(f"```python\n{code}```\n").main == code


DRIVEN = """import functools
from dataclasses import dataclass

try:
    import numpy as np
except ImportError:
    np = None


@functools.cache
def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@dataclass
class Point:
    x: int = 0


def count():
    yield from range(3)


for value in count():
    print(fib(value))

if __name__ == "__main__":
    print(Point())
"""


@pytest.mark.parametrize("answer", [f"```python\n{DRIVEN}```\n", DRIVEN, f"Sure:\n\n{DRIVEN}"])
def test_v_driver_code_decorators_and_guarded_imports_stay(answer: str) -> None:
    assert extract_files(answer, defines=("fib",)).main == DRIVEN
