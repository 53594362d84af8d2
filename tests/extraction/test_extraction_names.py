"""How blocks get their files' names (rules N), and which names are refused."""

from __future__ import annotations

import pytest

from pytest_llmbench.extraction import extract_files

APP = "import util\n\nprint(util.double(2))\n"
UTIL = "def double(n):\n    return 2 * n\n"


def files_of(answer: str, **asked: object) -> dict[str, str]:
    return dict(extract_files(answer, **asked).files)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize(
    "info",
    [
        "python src/util.py",
        "python:src/util.py",
        "py:src/util.py",
        "src/util.py",
        'python title="src/util.py"',
        "python title='src/util.py'",
        'python filename="src/util.py" linenums="1"',
        "python filename=src/util.py",
        'python {file="src/util.py"}',
        '{.python filename="src/util.py"}',
        "python file=src/util.py",
        "python src\\util.py",
        "python ./src/util.py",
        "python # src/util.py",
        "python (src/util.py)",
        "python src/util.py (new)",
        "python src/../src/util.py",
        'title="src/util.py"',
        "python path=src/util.py",
        "src/util.py:1-20",
    ],
)
def test_n_info_strings_name_files(info: str) -> None:
    answer = f"```python app.py\n{APP}```\n\n```{info}\n{UTIL}```\n"
    assert files_of(answer, entry="app.py") == {"app.py": APP, "src/util.py": UTIL}


@pytest.mark.parametrize(
    "line",
    [
        "src/util.py",
        "src/util.py:",
        "`src/util.py`",
        "`src/util.py`:",
        "**src/util.py**",
        "**src/util.py:**",
        "**`src/util.py`**",
        "**`src/util.py`:**",
        "### src/util.py",
        "### `src/util.py`",
        "#### 2. `src/util.py`",
        "2. src/util.py",
        "2. **src/util.py**:",
        "- `src/util.py`:",
        "**File: `src/util.py`**",
        "**File:** `src/util.py`",
        "File: src/util.py",
        "Filename: src/util.py",
        "File 2: src/util.py",
        "### File: src/util.py",
        "src/util.py (new file)",
        "**src/util.py** (the helpers):",
        "### `src/util.py` - the helpers",
        "## Step 2: `src/util.py`",
        "===== src/util.py =====",
        "--- src/util.py ---",
        "# src/util.py",
        "// src/util.py",
        "📄 src/util.py",
        '"src/util.py"',
        "<src/util.py>",
        "[src/util.py]",
        "./src/util.py",
        "src\\util.py",
        "__init__.py",
        "**pkg/__init__.py**",
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_n_the_line_above_a_fence_names_it(line: str, gap: str) -> None:
    name = "src/util.py" if "util" in line else line.strip("*")
    answer = f"Two files.\n\n**app.py**\n```python\n{APP}```\n\n{line}{gap}```python\n{UTIL}```\n"
    assert files_of(answer, entry="app.py") == {"app.py": APP, name: UTIL}


@pytest.mark.parametrize(
    "comment", ["# src/util.py", "# File: src/util.py", "# filename: src/util.py", "#src/util.py"]
)
def test_n_a_comment_that_is_only_a_path_names_its_block(comment: str) -> None:
    answer = f"```python\n# app.py\n{APP}```\n\n```python\n{comment}\n{UTIL}```\n"
    assert files_of(answer, entry="app.py") == {
        "app.py": f"# app.py\n{APP}",
        "src/util.py": f"{comment}\n{UTIL}",
    }


@pytest.mark.parametrize(
    ("tag", "comment", "path"),
    [
        ("html", "<!-- web/index.html -->", "web/index.html"),
        ("javascript", "// web/app.js", "web/app.js"),
        ("css", "/* web/style.css */", "web/style.css"),
        ("sql", "-- schema.sql", "schema.sql"),
        ("ini", "; setup.cfg", "setup.cfg"),
    ],
)
def test_n_comments_of_other_languages(tag: str, comment: str, path: str) -> None:
    answer = f"```python\n# app.py\n{APP}```\n\n```{tag}\n{comment}\nx\n```\n"
    assert files_of(answer, entry="app.py")[path] == f"{comment}\nx\n"


def test_n_a_file_tag_around_a_fence() -> None:
    answer = f'<file path="src/util.py">\n```python\n{UTIL}```\n</file>\n'
    assert files_of(answer)["src/util.py"] == UTIL


@pytest.mark.parametrize(
    "tag", ['file path="src/util.py"', "file name='src/util.py'", 'document path="src/util.py"']
)
def test_n_a_file_tag_around_plain_text(tag: str) -> None:
    word = tag.split(maxsplit=1)[0]
    answer = f'<{word} path="app.py">\n{APP}</{word}>\n<{tag}>\n{UTIL}</{word}>\nDone.\n'
    assert files_of(answer, entry="app.py") == {"app.py": APP, "src/util.py": UTIL}


@pytest.mark.parametrize("fence", [True, False])
def test_n_sections_between_lines_of_marks(fence: bool) -> None:  # noqa: FBT001  # a parameter
    body = f"===== app.py =====\n{APP}\n===== src/util.py =====\n{UTIL}"
    answer = f"Files:\n\n```\n{body}```\n" if fence else body
    assert files_of(answer, entry="app.py") == {"app.py": APP, "src/util.py": UTIL}


def test_n_a_fence_that_holds_only_a_name_names_the_next() -> None:
    answer = (
        f"```\napp.py\n```\n```python\n{APP}```\n\n```\nsrc/util.py\n```\n\n```python\n{UTIL}```\n"
    )
    assert files_of(answer, entry="app.py") == {"app.py": APP, "src/util.py": UTIL}


def test_n_a_name_quoted_in_the_paragraph_counts_if_the_task_named_it() -> None:
    answer = f"Put the helpers into\n`util.py` like this:\n\n```python\n{UTIL}```\n"
    assert files_of(answer, entry="app.py", expects=("app.py", "util.py")) == {"util.py": UTIL}
    assert files_of(answer, entry="app.py") == {"app.py": UTIL}


def test_n_the_only_expected_file_of_a_language_gets_the_block() -> None:
    answer = "```html\n<p>x</p>\n```\n\n```css\np {}\n```\n\n```python\nprint(1)\n```\n"
    assert files_of(answer, entry="app.py", expects=("web/a.html", "a.css")) == {
        "app.py": "print(1)\n",
        "web/a.html": "<p>x</p>\n",
        "a.css": "p {}\n",
    }


def test_n_the_only_expected_program_gets_the_block_before_the_entry() -> None:
    assert files_of(f"```python\n{UTIL}```\n", expects=("util.py",)) == {"util.py": UTIL}


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("Makefile", "makefile"),
        ("Dockerfile", "dockerfile"),
        (".gitignore", ""),
        ("requirements.txt", ""),
        ("requirements.txt", "text"),
        (".env", "bash"),
        ("data/config.yaml", "yaml"),
        ("run.sh", "bash"),
        ("package.json", "json"),
    ],
)
def test_n_any_file_may_be_named(path: str, tag: str) -> None:
    answer = f"**app.py**\n```python\n{APP}```\n\n**{path}**\n```{tag}\nflask\n```\n"
    assert files_of(answer, entry="app.py") == {"app.py": APP, path: "flask\n"}


def test_n_an_empty_file_may_be_named() -> None:
    answer = f"**app.py**\n```python\n{APP}```\n\n**pkg/__init__.py**\n```python\n```\n"
    assert files_of(answer, entry="app.py") == {"app.py": APP, "pkg/__init__.py": "\n"}


@pytest.mark.parametrize(
    "line",
    [
        "Node.js:",
        "e.g.",
        "**Note**",
        "### Usage",
        "Version 1.2:",
        "See example.com",
        "Python",
        "License",
    ],
)
def test_n_a_line_that_names_no_file_names_nothing(line: str) -> None:
    assert files_of(f"{line}\n```python\n{UTIL}```\n") == {"solution.py": UTIL}


def test_n_commands_below_a_files_name_are_no_file() -> None:
    answer = f"**app.py**\n```python\n{APP}```\n\n**app.py**\n```bash\npython app.py\n```\n"
    assert files_of(answer, entry="app.py") == {"app.py": APP}


TREE = "```\nproject/\n├── app.py\n└── util.py\n```\n"


@pytest.mark.parametrize(
    "listing",
    [
        TREE,
        TREE.replace("```\n", "```text\n", 1),
        "project/\n├── app.py\n└── util.py\n",
        "- `app.py`\n- `util.py`\n",
        "1. app.py\n2. util.py\n",
        "I made **app.py** and **util.py**.\n",
        "```\napp.py\nutil.py\n```\n",
    ],
)
def test_n_trees_lists_and_names_without_a_block_create_nothing(listing: str) -> None:
    extraction = extract_files(f"The layout:\n\n{listing}")
    assert extraction.files == {}
    assert extraction.reason == "prose"


@pytest.mark.parametrize("listing", [TREE, "- `app.py`\n- `util.py`\n", "1. app.py\n2. util.py\n"])
def test_n_a_list_directly_above_a_block_does_not_name_it(listing: str) -> None:
    answer = f"The layout:\n\n{listing}\n```python\n{UTIL}```\n"
    assert files_of(answer, entry="main.py") == {"main.py": UTIL}


REFUSED = {
    "/etc/cron.d/job.py": "it is absolute",
    "C:\\temp\\evil.py": "it names a drive",
    "~/.bashrc": "it leads to a home folder",
    "../evil.py": "it leads out of the folder",
    "a/../../evil.py": "it leads out of the folder",
    "..\\..\\evil.py": "it leads out of the folder",
    "a\0b.py": "it holds a control character",
    f"{'a/' * 130}b.py": "it has more than 250 characters",
}


@pytest.mark.parametrize(("path", "why"), REFUSED.items())
@pytest.mark.parametrize("style", ["```python path={}\n", "**{}**\n```python\n"])
def test_n_paths_that_lead_outside_are_refused_and_reported(
    path: str, why: str, style: str
) -> None:
    answer = f"**app.py**\n```python\n{APP}```\n\n{style.format(path)}{UTIL}```\n"
    extraction = extract_files(answer, "app.py")
    assert extraction.files == {"app.py": APP}
    shown = repr(path if len(path) <= 60 else f"{path[:60]}…")
    assert extraction.warnings == (f"the path {shown} was refused: {why}",)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x.py"])
def test_n_code_under_refused_names_alone_is_no_prose(name: str) -> None:
    """The reason says that there was code, and why none of it is a file."""
    extraction = extract_files(f"Here:\n```{name}\nprint(1)\n```\n")
    assert extraction.files == {}
    assert extraction.reason == "unsafe path"


def test_n_a_refused_path_in_a_comment_leaves_the_program_its_place() -> None:
    extraction = extract_files(f"```python\n# /home/me/util.py\n{UTIL}```\n")
    assert extraction.main == f"# /home/me/util.py\n{UTIL}"
    assert extraction.warnings == ("the path '/home/me/util.py' was refused: it is absolute",)


def test_n_a_file_cannot_be_a_folder_too() -> None:
    answer = f"```python a.py\n{APP}```\n\n```python a.py/b.py\n{UTIL}```\n"
    extraction = extract_files(answer, "a.py")
    assert extraction.files == {"a.py": APP}
    assert extraction.warnings == (
        "'a.py/b.py' was left out: a file stands where another needs a folder",
    )


def test_n_the_only_program_is_the_entry_too_whatever_the_answer_calls_it() -> None:
    test = "import double\n"
    extraction = extract_files(
        f"**double.py**\n```python\n{UTIL}```\n\n**test_double.py**\n```python\n{test}```\n"
    )
    assert extraction.main == UTIL
    assert extraction.files["double.py"] == UTIL
    assert extraction.warnings == (
        "the answer gave its program another name: it is 'solution.py' as well",
    )


def test_n_several_programs_without_the_entry_leave_it_empty() -> None:
    answer = f"**app.py**\n```python\n{APP}```\n\n**util.py**\n```python\n{UTIL}```\n"
    extraction = extract_files(answer)
    assert extraction.files == {"app.py": APP, "util.py": UTIL}
    assert extraction.main is None
    assert extraction.reason is None


def test_n_a_file_that_is_never_closed_ends_before_the_next_ones_name() -> None:
    answer = f"**app.py**\n```python\n{APP}\n**util.py**\n```python\n{UTIL}```\n"
    assert files_of(answer, entry="app.py") == {"app.py": APP, "util.py": UTIL}


def test_n_openers_one_below_the_other_name_their_own_blocks() -> None:
    assert files_of(f"```app.py\n```python\n{UTIL}```\n", entry="util.py")["util.py"] == UTIL


def test_n_a_name_without_its_folder_means_the_file_that_the_task_asked_for() -> None:
    answer = f"**app.py**\n```python\n{APP}```\n\n**util.py**\n```python\n{UTIL}```\n"
    assert files_of(answer, entry="src/app.py") == {"src/app.py": APP, "util.py": UTIL}
