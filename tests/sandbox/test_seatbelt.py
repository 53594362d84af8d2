"""The macOS sandbox, as far as another system can tell: its rules, and its command."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.environment import base_interpreter
from pytest_llmbench.sandbox.protocol import Limits, SandboxError
from pytest_llmbench.sandbox.seatbelt import Seatbelt, profile

FAKE = """#!{python} -IS
import json, os, sys
with open({log!r}, "w") as log:
    json.dump([sys.argv[1:], sorted(os.environ)], log)
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def seatbelt(tmp_path: Path, log: Path) -> Seatbelt:
    """Seatbelt with a sandbox-exec that notes its arguments and confines nothing."""
    program = tmp_path / "sandbox-exec"
    program.write_text(FAKE.format(python=base_interpreter(), log=str(log)))
    program.chmod(0o755)
    return Seatbelt(str(program))


def test_rules() -> None:
    """All is refused but reading what programs need, and the box's own folder."""
    lines = profile(
        Path("/private/tmp/box"), [Path("/opt/python"), Path('/odd "name"\\')]
    ).splitlines()
    assert lines[:2] == ["(version 1)", "(deny default)"]
    assert "(allow signal (target same-sandbox))" in lines
    assert '  (subpath "/opt/python")' in lines
    assert '  (subpath "/odd \\"name\\"\\\\"))' in lines
    writable = '(allow file-read* file-write* (subpath "/private/tmp/box") (literal "/dev/null"))'
    assert [line for line in lines if "write" in line] == [writable]
    assert not [line for line in lines if "network" in line or "mach" in line]


def test_command(seatbelt: Seatbelt, log: Path) -> None:
    """The server of a box is started behind the rules, with an empty environment; its folder
    is gone with the box."""
    box = seatbelt.open_box(Limits())
    box.write_files({"note.txt": b"kept"})
    assert box.read_file("note.txt") == b"kept"
    (option, rules, interpreter, *_), names = json.loads(log.read_text())
    assert option == "-p"
    assert interpreter == str(base_interpreter())
    assert names in ([], ["LC_CTYPE"])
    writable = next(line for line in rules.splitlines() if "file-write*" in line)
    folder = Path(writable.split('"')[1])
    assert folder.is_dir()
    box.close()
    assert not folder.exists()


def test_another_system(seatbelt: Seatbelt) -> None:
    if platform.system() == "Darwin":
        pytest.skip("this is macOS")
    assert seatbelt.find_obstacle() == "seatbelt needs macOS"


def test_missing_command(tmp_path: Path) -> None:
    missing = tmp_path / "sandbox-exec"
    with pytest.raises(SandboxError) as caught:
        Seatbelt(str(missing)).open_box(Limits())
    assert str(caught.value) == f"cannot start {missing}: No such file or directory"
