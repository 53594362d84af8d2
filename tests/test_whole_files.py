"""Files that are there whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.whole_files import write_whole


def test_a_file_is_written_with_its_folders_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.csv"
    write_whole(path, ["a,b\r\n", "ä\n"])
    assert path.read_bytes() == b"a,b\r\n\xc3\xa4\n"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_whole(path, ["old"])

    def break_off() -> Iterator[str]:
        yield "new"
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_whole(path, break_off())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, path = tmp_path / "link.json", tmp_path / "real.json"
    link.symlink_to(path)
    write_whole(link, ["new"])
    assert link.is_symlink()
    assert path.read_text() == "new"
