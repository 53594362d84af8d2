"""Where blocks of code begin and end (rules F1 to F12)."""

from __future__ import annotations

import pytest

from pytest_llmbench.extraction import extract_files

CODE = "def add(a, b):\n    return a + b\n"


def main_of(answer: str) -> str | None:
    return extract_files(answer).main


@pytest.mark.parametrize("prefix", ["", " ", "   ", "\t", "- ", "* ", "1. ", "2) ", "> ", "  - "])
@pytest.mark.parametrize("marks", ["```", "````", "~~~", "~~~~~"])
def test_f1_an_opener_may_be_indented_quoted_or_in_a_list(prefix: str, marks: str) -> None:
    closer = "> " if prefix == "> " else ""
    body = "".join(f"{closer}{line}\n" for line in CODE.splitlines())
    assert main_of(f"Here:\n\n{prefix}{marks}python\n{body}{closer}{marks}\nDone.\n") == CODE


def test_f1_an_info_string_with_backticks_opens_nothing() -> None:
    assert main_of(f"Use ```x``` or so.\n``` `a` `b`\n\n```python\n{CODE}```\n") == CODE


def test_f2_a_closer_is_at_least_as_long_as_its_opener() -> None:
    code = 'TEXT = """\n```\nx\n```\n"""\n\n' + CODE
    assert main_of(f"````python\n{code}````\nDone.\n") == code


def test_f2_another_mark_does_not_close() -> None:
    code = f'TEXT = """\n~~~\n"""\n\n{CODE}'
    assert main_of(f"```python\n{code}```\n") == code


def test_f3_a_closer_glued_to_code() -> None:
    assert main_of("```python\ndef add(a, b):\n    return a + b```\nThat is all.\n") == CODE


@pytest.mark.parametrize("chat", [" This function adds.", "This adds two numbers", " — done!"])
def test_f3_a_closer_with_chat_after_it(chat: str) -> None:
    assert main_of(f"```python\n{CODE}```{chat}\nMore chat.\n") == CODE


@pytest.mark.parametrize("tag", ["python", ""])
def test_f3_an_opener_glued_to_prose(tag: str) -> None:
    assert main_of(f"Here is the code:```{tag}\n{CODE}```\nDone.\n") == CODE


@pytest.mark.parametrize("opener", ["```python def add(a, b):", "```def add(a, b):"])
def test_f3_code_on_the_openers_line(opener: str) -> None:
    assert main_of(f"{opener}\n    return a + b\n```\n") == CODE


def test_f3_a_whole_block_on_one_line() -> None:
    assert main_of("```python def one(): return 1 ```") == "def one(): return 1\n"


def test_f3_a_block_that_is_opened_again_without_a_close() -> None:
    assert main_of(f"```python\n{CODE}\n```python\nprint(add(1, 2))\n```\n") == CODE


def test_f3_a_closer_of_two_backticks() -> None:
    assert main_of(f"```python\n{CODE}``\n```\nDone.\n") == CODE


NESTED = '''def render(title):
    """Make a page.

    ```python
    render("x")
    ```

    ```
    # x
    ```
    """
    return f"""
```text
{title}
```
"""
'''


@pytest.mark.parametrize("tag", ["python", ""])
def test_f4_fences_inside_docstrings_and_strings_close_nothing(tag: str) -> None:
    assert main_of(f"Sure:\n```{tag}\n{NESTED}```\nIt uses fences.\n") == NESTED


def test_f4_a_block_that_never_parses_ends_at_its_first_closer() -> None:
    broken = "def add(a, b:\n    return a + b\n"
    answer = f"```python\n{broken}```\nExample:\n```\n3\n```\n"
    assert main_of(answer) == broken


def test_f4_a_string_that_is_never_closed_does_not_swallow_later_blocks() -> None:
    broken = 'def add(a, b):\n    """Add.\n    return a + b\n'
    answer = f'```python\n{broken}```\nCorrected:\n```python\n"""Adding."""\n{CODE}```\n'
    assert main_of(answer) == f'"""Adding."""\n{CODE}'


README = (
    "# Tool\n\n```bash\npip install tool\n```\n\nThen:\n\n```python\nimport tool\n```\n\nEnd.\n"
)


def test_f5_tagged_fences_inside_markdown_are_balanced() -> None:
    files = extract_files(
        f"**README.md**\n```markdown\n{README}```\n\n**tool.py**\n```python\n{CODE}```\n", "tool.py"
    ).files
    assert files == {"README.md": README, "tool.py": CODE}


def test_f5_untagged_fences_inside_a_markdown_file_end_before_the_next_file() -> None:
    readme = "# Tool\n\n```\npip install tool\n```\n\nEnd.\n"
    answer = f"`README.md`\n```markdown\n{readme}```\n\n`tool.py`\n```python\n{CODE}```\n"
    assert extract_files(answer, "tool.py").files == {"README.md": readme, "tool.py": CODE}


def test_f5_a_markdown_block_around_the_whole_answer_is_opened() -> None:
    assert main_of(f"```markdown\n# Solution\n\n```python\n{CODE}```\n\nDone.\n```\n") == CODE


def test_f6_the_openers_indent_is_removed_when_every_line_has_it() -> None:
    body = "".join(f"   {line}\n" for line in CODE.splitlines())
    assert main_of(f"1. Write:\n\n   ```python\n{body}   ```\n\n2. Run.\n") == CODE


def test_f6_an_indent_that_a_line_lacks_stays() -> None:
    assert main_of(f"  ```python\n{CODE}  ```\n") == CODE


def test_f6_deeper_indent_than_the_openers_is_removed_where_nothing_parses_otherwise() -> None:
    body = "".join(f"    {line}\n" for line in CODE.splitlines())
    assert main_of(f"  ```\n{body}```\n") == CODE


def test_f6_quote_marks_are_stripped() -> None:
    answer = "> Here:\n>\n> ```python\n> def add(a, b):\n>\n>     return a + b\n> ```\n"
    assert main_of(answer) == "def add(a, b):\n\n    return a + b\n"


@pytest.mark.parametrize("word", ["python", "Python", "python3", "Python:", "[PYTHON]"])
def test_f7_a_first_line_that_only_names_the_language_is_dropped(word: str) -> None:
    assert main_of(f"```\n{word}\n{CODE}```\n") == CODE


def test_f7_a_tag_glued_to_the_first_line_is_dropped() -> None:
    assert main_of("```\npython def add(a, b):\n    return a + b\n```\n") == CODE


def test_f8_a_block_without_a_closer_runs_to_the_end() -> None:
    extraction = extract_files(f"Here you are:\n\n```python\n{CODE}")
    assert extraction.main == CODE
    assert extraction.truncated is False


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{CODE}```\n```\n\nThis adds.\n",
        f"```python\n{CODE}```\n\nThis adds.\n```\n",
        f"```python\n{CODE}```\n```\nAnd so:\n```python\nprint(add(1, 2))\n```\n",
    ],
)
def test_f9_a_stray_fence_opens_nothing(answer: str) -> None:
    extraction = extract_files(answer)
    assert extraction.files == {"solution.py": CODE}
    assert extraction.truncated is False


@pytest.mark.parametrize("before", ["", "Sure, here it is:\n\n"])
@pytest.mark.parametrize("after", ["\nThis adds.\n", "", "\n```python\nprint(add(1, 2))\n```\n"])
def test_f10_code_before_a_closer_that_nothing_opened(before: str, after: str) -> None:
    """The prompt ended with the opener."""
    assert main_of(f"{before}{CODE}```{after}") == CODE


def test_f10_a_script_without_definitions() -> None:
    assert main_of("print('hi')\n```\nDone.\n") == "print('hi')\n"


@pytest.mark.parametrize(
    "answer",
    [
        f"[PYTHON]\n{CODE}[/PYTHON]\n[TESTS]\nassert add(1, 2) == 3\n[/TESTS]\n",
        f"<code>\n{CODE}</code>\nThis adds.",
        f'<pre><code class="python">{CODE}</code></pre>',
    ],
)
def test_f11_other_wrappers(answer: str) -> None:
    assert main_of(answer) == CODE


def test_f11_entities_are_unescaped() -> None:
    answer = "<code>def less(a, b):\n    return a &lt; b and a &amp; 1</code>"
    assert main_of(answer) == "def less(a, b):\n    return a < b and a & 1\n"


def test_f11_fences_come_before_other_wrappers() -> None:
    answer = f"[PYTHON]\nx = 1\n[/PYTHON]\n```python\n{CODE}```\n"
    assert main_of(answer) == CODE


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "</s>", "<|endoftext|>", "<|eot_id|>", "<end_of_turn>", "<step>"]
)
@pytest.mark.parametrize("glue", ["", " ", "\n"])
def test_f12_end_of_text_tokens_are_cut(token: str, glue: str) -> None:
    other = "```python\ndef add(a, b):\n    return 0  # final\n```\n"
    assert main_of(f"```python\n{CODE}```{glue}{token}\nFinal:\n{other}") == CODE
    assert main_of(f"{CODE.rstrip()}{glue}{token}\n") == CODE


@pytest.mark.parametrize(
    "turn", ["### Instruction:", "### Human: more", "<|im_start|>user", "USER: more", "[INST] more"]
)
def test_f12_the_next_turn_is_cut(turn: str) -> None:
    other = "```python\ndef add(a, b):\n    return 0\n```\n"
    assert main_of(f"```python\n{CODE}```\n\n{turn}\nFinal:\n{other}") == CODE


def test_f12_tokens_in_fences_and_strings_stay() -> None:
    code = 'END = "</s>"\nTURN = """\n### Instruction\n<|im_end|>\n"""\n\n' + CODE
    assert main_of(f"```python\n{code}```\n") == code
    assert main_of('END = "</s>"\n\n' + CODE) == 'END = "</s>"\n\n' + CODE


def test_f12_a_conversation_repeated_before_the_answer_cuts_nothing() -> None:
    answer = f"A chat.\n\nUSER: Write add.\nASSISTANT: Sure:\n```python\n{CODE}```\n"
    assert main_of(answer) == CODE


def test_f12_an_unclosed_block_ends_at_the_token() -> None:
    assert main_of(f"```python\n{CODE}<|im_end|>\n<|im_start|>user\nThanks\n") == CODE


def test_f6_a_block_ends_with_its_quote() -> None:
    assert main_of("> ```python\n> x = 1\n\nDone.\n") == "x = 1\n"
