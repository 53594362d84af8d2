"""The workspace, as tests write and read it."""

from __future__ import annotations

import pytest

from box_types import OpenBox
from pytest_llmbench.sandbox.protocol import Box, Sandbox, SandboxError


def shell(box: Box, script: str) -> None:
    result = box.run(["/bin/sh", "-ec", script])
    assert result.returncode == 0, result


def test_round_trip(open_box: OpenBox) -> None:
    """Files come back as they were put in, and as programs changed them."""
    box = open_box()
    box.write_files({"main.py": b"print()", "src/deep/data.bin": bytes(range(256))})
    shell(box, "echo made > made.txt; echo more >> main.py; mkdir empty")
    assert box.list_files() == ["made.txt", "main.py", "src/deep/data.bin"] or (
        box.list_files() == sorted(["main.py", "made.txt", "src/deep/data.bin"])
    )
    assert box.read_file("main.py") == b"print()more\n"
    assert box.read_file("src/deep/data.bin") == bytes(range(256))


def test_workspace_and_home_last(sandbox: Sandbox, open_box: OpenBox) -> None:
    """From the first run to the last; another box sees none of it."""
    box, other = open_box(), open_box()
    shell(box, 'echo kept > note; echo kept > "$HOME/note"')
    shell(box, 'cat note "$HOME/note"')
    gone = other.run(["/bin/sh", "-c", 'cat note "$HOME/note"'])
    assert gone.returncode != 0
    assert gone.stdout == ""


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "", ".", "folder/", "a\0b"])
def test_paths_that_lead_outside(open_box: OpenBox, path: str) -> None:
    """Refused before anything is touched, for writing and for reading."""
    box = open_box()
    with pytest.raises(SandboxError, match="no path of a file in the workspace"):
        box.write_files({path: b""})
    with pytest.raises(SandboxError, match="no path of a file in the workspace"):
        box.read_file(path)


def test_missing_file(open_box: OpenBox) -> None:
    with pytest.raises(FileNotFoundError, match=r"^the box has no file lost\.txt$"):
        open_box().read_file("lost.txt")


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("ln -s /etc/passwd report", "report"),
        ("ln -s /etc folder", "folder/passwd"),
        ("ln -s . folder; echo > inner", "folder/inner"),
        ("mkfifo report", "report"),
        ("mkdir report", "report"),
    ],
    ids=["link", "link above", "harmless link above", "fifo", "folder"],
)
def test_what_is_no_regular_file_is_not_read(open_box: OpenBox, script: str, path: str) -> None:
    """Neither followed nor waited for."""
    box = open_box()
    shell(box, script)
    assert path not in box.list_files()
    with pytest.raises(SandboxError, match=f"^cannot read {path} from the box: "):
        box.read_file(path)


def test_large_file_is_not_read(open_box: OpenBox) -> None:
    box = open_box()
    box.write_files({"large": b"12345"})
    message = "cannot read large from the box: it holds 5 bytes, more than the 4 to be read"
    with pytest.raises(SandboxError, match=f"^{message}$"):
        box.read_file("large", max_bytes=4)


@pytest.mark.parametrize(
    "script",
    [
        "ln -s /usr/share tests",
        "echo > tests",
        "mkdir -p tests/test_it.py/deeper/still; chmod 000 tests/test_it.py",
        "mkdir tests; ln -s /etc/passwd tests/test_it.py",
        "mkdir tests; mkfifo tests/test_it.py",
        "mkdir tests; chmod 000 tests",
        "mkdir tests; echo old > tests/test_it.py; chmod 000 tests/test_it.py",
    ],
    ids=["linked folder", "file", "folders", "link", "fifo", "closed folder", "closed file"],
)
def test_writing_replaces_what_is_in_the_way(open_box: OpenBox, script: str) -> None:
    box = open_box()
    shell(box, script)
    box.write_files({"tests/test_it.py": b"new"})
    assert box.read_file("tests/test_it.py") == b"new"
    assert box.list_files() == ["tests/test_it.py"]
