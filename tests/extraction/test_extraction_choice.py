"""Which block is the program (rules L and S), and why there is none."""

from __future__ import annotations

import pytest

from pytest_llmbench.extraction import extract_files

CODE = "def add(a, b):\n    return a + b\n"
OTHER = "def add(a, b):\n    return sum((a, b))\n"
USAGE = "print(add(1, 2))\n"
IMPORT = "import os\n"


def main_of(answer: str, **asked: object) -> str | None:
    return extract_files(answer, **asked).main  # type: ignore[arg-type]  # passed on


def block(code: str, tag: str = "python") -> str:
    return f"```{tag}\n{code}```\n"


@pytest.mark.parametrize(
    "tag",
    [
        *("python", "py", "python3", "py3", "ipython", "Python", "PYTHON", "python3.11"),
        *("{python}", "{.python .numberLines}", "Python 3", "python showLineNumbers"),
    ],
)
def test_l_all_of_these_tags_are_python(tag: str) -> None:
    assert main_of(f"{block('x = 1', 'json')}{block(CODE, tag)}") == CODE


def test_l_a_session_is_stripped_of_prompts_and_output() -> None:
    session = ">>> def add(a, b):\n...     return a + b\n...\n>>> add(1, 2)\n3\n"
    expected = "def add(a, b):\n    return a + b\n\nadd(1, 2)\n"
    assert main_of(block(session, "pycon")) == expected
    assert main_of(block(session)) == expected


def test_l_a_notebook_session_is_stripped_too() -> None:
    session = "In [1]: def f():\n   ...:     return 1\n\nIn [2]: f()\nOut[2]: 1\n"
    assert main_of(block(session)) == "def f():\n    return 1\nf()\n"


def test_l_a_session_tag_over_plain_code_changes_nothing() -> None:
    assert main_of(block(CODE, "pycon")) == CODE


def test_l_prompts_in_a_docstring_stay() -> None:
    code = 'def add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n    return a + b\n'
    assert main_of(block(code)) == code


def test_l_a_function_with_a_session_below_it_is_the_function() -> None:
    assert main_of(block(f"{CODE}\n>>> add(1, 2)\n3\n")) == CODE


@pytest.mark.parametrize(
    "tag", ["bash", "sh", "shell", "console", "text", "output", "json", "diff", "plaintext"]
)
def test_l_what_is_shown_never_becomes_a_program(tag: str) -> None:
    extraction = extract_files(f"Run it:\n\n{block(CODE, tag)}")
    assert extraction.files == {}
    assert extraction.reason == "prose"


def test_l_a_shell_block_is_a_program_where_the_answer_names_it() -> None:
    assert extract_files(block("def = 1\n", "bash run.sh")).files == {"run.sh": "def = 1\n"}


@pytest.mark.parametrize(
    "text", ["Hello\n", '"Hello"\n', "apples, oranges\n", "Output: 42\n", "120\n", "[0, 1, 1]\n"]
)
def test_l_an_untagged_block_without_a_statement_is_no_code(text: str) -> None:
    assert extract_files(f"Output:\n\n{block(text, '')}").files == {}


@pytest.mark.parametrize("code", ["x = 1\n", "print('hi')\n", "import os\n", CODE])
def test_l_an_untagged_block_with_a_statement_is_code(code: str) -> None:
    assert main_of(f"Here:\n\n{block(code, '')}") == code


def test_l_an_untagged_output_before_the_code_is_not_taken() -> None:
    assert main_of(f"It prints\n{block('[0, 1]', '')}\nby\n{block(USAGE)}") == USAGE


def test_l_an_unknown_tag_counts_as_none() -> None:
    assert main_of(block(CODE, "solution")) == CODE


def test_l_python_under_another_languages_tag_is_taken_when_there_is_nothing_else() -> None:
    assert main_of(block(CODE, "scss")) == CODE
    assert main_of(block(OTHER, "scss") + block(CODE)) == CODE


GO = 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("hi")\n}\n'


@pytest.mark.parametrize("tag", ["go", "golang", "Go", ""])
@pytest.mark.parametrize("more", ["", block(CODE), block("go run .", "bash")])
def test_l_the_entrys_extension_tells_the_language(tag: str, more: str) -> None:
    assert main_of(f"{more}Here:\n\n{block(GO, tag)}Done.\n", entry="main.go") == GO


def test_l_unfenced_code_in_another_language() -> None:
    assert main_of(f"Here is the program:\n\n{GO}\nIt prints hi.\n", entry="main.go") == GO
    assert extract_files("I like Go. It is fast.", "main.go").reason == "prose"


def test_l_what_another_language_defines_is_seen() -> None:
    first = "function helper(a) {\n  return a;\n}\n"
    second = "const add = (a, b) => a + b;\n"
    answer = block(first, "javascript") + block(second, "js")
    assert main_of(answer, entry="add.js", defines=("add",)) == second
    assert main_of(answer, entry="add.js") == first


def test_s_the_first_definition_wins_over_usage_and_alternatives() -> None:
    answer = f"{block(USAGE)}Code:\n{block(CODE)}Usage:\n{block(USAGE)}Or:\n{block(OTHER)}"
    assert main_of(answer) == CODE


def test_s_what_the_task_asks_for_wins_over_other_definitions() -> None:
    helper = "def helper():\n    return 1\n"
    answer = f"{block(helper)}{block(CODE)}"
    assert main_of(answer) == helper
    assert main_of(answer, defines=("add",)) == CODE


@pytest.mark.parametrize(
    "code",
    [
        "class Stack:\n    pass\n",
        "Stack = lambda: []\n",
        "try:\n    class Stack: ...\nexcept E: ...\n",
    ],
)
def test_s_classes_lambdas_and_guarded_definitions_count(code: str) -> None:
    assert main_of(block(CODE) + block(code), defines=("Stack",)) == code


def test_s_the_block_that_defines_most_of_what_is_asked_for_wins() -> None:
    both = f"{CODE}\n\ndef sub(a, b):\n    return a - b\n"
    assert main_of(block(CODE) + block(both), defines=("add", "sub")) == both


def test_s_tests_rank_below_other_definitions() -> None:
    tests = "def test_add():\n    assert add(1, 2) == 3\n"
    assert main_of(block(tests) + block(CODE)) == CODE


def test_s_a_block_that_parses_wins_over_one_that_does_not() -> None:
    assert main_of(block("def add(a, b:\n    return\n") + block(CODE)) == CODE


@pytest.mark.parametrize(
    "announcement",
    [
        "Here is the final version:",
        "**Final code**",
        "Corrected:",
        "The fixed code is:",
        "Wait, that is wrong. Let me fix it.",
        "Hmm, this may overflow.\n\nSo:",
        "I apologize for the mistake. It should be:",
        "Here is the revised function:",
    ],
)
def test_s_words_of_correction_make_the_last_version_the_program(announcement: str) -> None:
    assert main_of(f"{block(OTHER)}\n{announcement}\n\n{block(CODE)}") == CODE


@pytest.mark.parametrize(
    "between",
    [
        "Alternatively, you can use sum:",
        "The loop is correct, and finally the result is returned.\n\nAnother way:",
        "At the end the final value of a is returned.\n\nFor more than two numbers:",
    ],
)
def test_s_other_words_leave_the_first_version_in_place(between: str) -> None:
    assert main_of(f"{block(CODE)}\n{between}\n\n{block(OTHER)}") == CODE


def test_s_a_correction_is_not_the_usage_that_follows_it() -> None:
    answer = f"{block(OTHER)}Corrected:\n{block(CODE)}Final usage:\n{block(USAGE)}"
    assert main_of(answer) == CODE


def test_s_a_draft_that_a_later_block_goes_on_from_is_superseded() -> None:
    draft = "def add(a, b):\n    total = a + b\n"
    whole = draft + "    return total\n"
    assert main_of(f"1. Add:\n{block(draft)}2. Return:\n{block(whole)}") == whole


def test_s_blocks_are_never_joined() -> None:
    assert main_of(f"{block(IMPORT)}and\n{block(CODE)}and\n{block(USAGE)}") == CODE


def test_s_the_last_complete_version_of_a_path_is_the_file() -> None:
    answer = f"**add.py**\n{block(OTHER)}Better:\n\n**add.py**\n{block(CODE)}"
    assert main_of(answer, entry="add.py") == CODE


@pytest.mark.parametrize(
    "elided",
    [
        "def add(a, b):\n    ...\n",
        "# ... existing code ...\n\ndef sub(a, b):\n    return a - b\n",
        "# rest of the code remains unchanged\ndef sub(a, b):\n    return a - b\n",
        "def sub(a, b):\n    return a - b\n\n# (unchanged)\n",
        "def add(a, b:\n",
    ],
)
def test_s_a_later_version_with_gaps_replaces_no_complete_one(elided: str) -> None:
    answer = f"**add.py**\n{block(CODE)}Change:\n\n**add.py**\n{block(elided)}"
    extraction = extract_files(answer, "add.py")
    assert extraction.files == {"add.py": CODE}
    assert extraction.warnings == (
        "a later version of 'add.py' was passed over: it is not complete",
    )


def test_s_a_file_quoted_for_its_usage_is_not_replaced_by_it() -> None:
    usage = "import add\nprint(add.add(1, 2))\n"
    answer = f"Save as `add.py`:\n{block(CODE)}\nNow use `add.py`:\n{block(usage)}"
    assert main_of(answer, entry="add.py") == CODE


@pytest.mark.parametrize("before", ["", "Sure! Here is the function you asked for:\n\n"])
@pytest.mark.parametrize(
    "after",
    [
        *("", "\nThis function adds two numbers.\n", "\nExplanation\n", "\nOutput: 3\n"),
        "\n## Explanation\n\nIt adds.\n",
    ],
)
def test_s_code_without_a_fence(before: str, after: str) -> None:
    assert main_of(f"{before}{CODE}{after}") == CODE


def test_s_the_whole_text_when_it_parses_with_a_definition_or_an_import() -> None:
    assert main_of("import os\nprint(os.name)\n") == "import os\nprint(os.name)\n"


def test_s_the_longest_stretch_that_defines_what_is_asked_for() -> None:
    helper = "def helper(x):\n    y = x\n    return y\n"
    answer = f"First a helper.\n\n{helper}\nThen the function.\n\n{CODE}\nThat is all, folks.\n"
    assert main_of(answer) == helper
    assert main_of(answer, defines=("add",)) == CODE


def test_s_a_lone_blank_before_unfenced_code_is_no_indent() -> None:
    assert main_of(f" {CODE}") == CODE


def test_s_an_indented_block_of_markdown() -> None:
    body = "".join(f"    {line}\n" for line in CODE.splitlines())
    assert main_of(f"Here you are:\n\n{body}\nIt adds.\n") == CODE


def test_s_a_listing_with_line_numbers() -> None:
    assert main_of("1. def add(a, b):\n2.     return a + b\n\nIt adds.\n") == CODE


def test_s_code_beside_a_block_of_output_is_found() -> None:
    assert main_of(f"{CODE}\nOutput:\n```text\n3\n```\n") == CODE


def test_s_code_that_does_not_parse_is_still_the_program() -> None:
    broken = "def add(a, b)\n    return a + b\n"
    assert main_of(f"Here:\n\n{block(broken)}Done.\n") == broken
    assert main_of(f"Here it is:\n\n{broken}\nThis function adds two numbers.\n") == f"{broken}"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "empty"),
        (" \n\n\t\n", "empty"),
        ("<think>Done.</think>\n", "empty"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I apologize, but as an AI language model I cannot provide this.", "refusal"),
        ("I cannot fulfill your request.</s>", "refusal"),
        ("To add two numbers, use the plus sign. Example: 1 + 2 is 3.", "prose"),
        ("Madrid", "prose"),
        ("42", "prose"),
        ("```text\nNothing here.\n```", "prose"),
    ],
)
def test_s_prose_never_becomes_a_file(answer: str, reason: str) -> None:
    extraction = extract_files(answer)
    assert extraction.files == {}
    assert extraction.main is None
    assert extraction.reason == reason


def test_s_a_refusal_by_the_server_is_the_reason() -> None:
    assert extract_files("Let me think", stop_reason="content_filter").reason == "refusal"
