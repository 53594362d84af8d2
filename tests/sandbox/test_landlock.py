"""What is Landlock's own: its versions, and what it leaves for seccomp to close."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.inside.kernel import landlock_abi
from pytest_llmbench.sandbox.landlock import Landlock
from pytest_llmbench.sandbox.protocol import MIB, Limits, ProgramResult, Sandbox

pytestmark = pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")


@pytest.fixture(scope="module", params=range(1, 8))
def any_landlock(request: pytest.FixtureRequest) -> Iterator[Landlock]:
    """Landlock as each version of the kernel gives it."""
    if request.param > landlock_abi():
        pytest.skip(f"this kernel's Landlock is at version {landlock_abi()}")
    sandbox = Landlock(request.param)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def landlock() -> Iterator[Landlock]:
    sandbox = Landlock()
    yield sandbox
    sandbox.close()


def run(sandbox: Sandbox, code: str, *argv: str) -> ProgramResult:
    box = sandbox.open_box(Limits())
    try:
        box.write_files({"program.py": code.encode()})
        return box.run([sandbox.python(), "program.py", *argv])
    finally:
        box.close()


def test_every_version_holds(any_landlock: Landlock) -> None:
    """The filter makes up for what older versions do not govern."""
    assert any_landlock.find_obstacle() is None


TAMPER = """
import ctypes, os, signal, socket, sys
victim, pid = sys.argv[1], int(sys.argv[2])
attacks = {
    "truncate": lambda: os.truncate(victim, 0),
    "truncating open": lambda: os.close(os.open(victim, os.O_RDONLY | os.O_TRUNC)),
    "append": lambda: open(victim, "a").write("x"),
    "rename": lambda: os.rename(victim, victim + "x"),
    "signal": lambda: os.kill(pid, signal.SIGTERM),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, pid, 19),
    "socket": lambda: socket.socket(socket.AF_UNIX),
    "datagram pair": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
}
for name, attack in attacks.items():
    try:
        attack()
    except OSError:
        print("refused", name)
os.chmod(victim, 0o777)
os.utime(victim, (0, 0))
"""


def test_other_people_s_files_and_processes(any_landlock: Landlock, tmp_path: Path) -> None:
    """A readable file is not changed, not even its mode or time; a process gets no signal."""
    victim = tmp_path / "victim"
    victim.write_text("content")
    victim.chmod(0o644)
    before = victim.stat()
    decoy = subprocess.Popen(["/bin/sleep", "60"])
    try:
        box = any_landlock.open_box(Limits(), readable=[tmp_path])
        box.write_files({"tamper.py": TAMPER.encode()})
        result = box.run([any_landlock.python(), "tamper.py", str(victim), str(decoy.pid)])
        box.close()
        assert decoy.poll() is None
        assert os.getpriority(os.PRIO_PROCESS, decoy.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    finally:
        decoy.kill()
        decoy.wait()
    after = victim.stat()
    assert len(result.stdout.splitlines()) == 8, result
    assert result.returncode == 0, result
    assert victim.read_text() == "content"
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)


def test_own_children(any_landlock: Landlock) -> None:
    """They can be ended, or the sandbox says beforehand that they cannot."""
    code = """
import subprocess, sys
child = subprocess.Popen(["sleep", "5"])
try:
    child.kill()
    print(child.wait())
except PermissionError:
    print("not permitted")
"""
    told = any("signals" in restriction for restriction in any_landlock.restrictions)
    assert run(any_landlock, code).stdout == ("not permitted\n" if told else "-9\n")


def test_inherited_stream_pairs_cannot_be_connected(landlock: Landlock, tmp_path: Path) -> None:
    """A pair of sockets, which asyncio needs, is no way to a socket of the machine."""
    path = str(tmp_path / "s")
    code = """
import socket, sys
ours, theirs = socket.socketpair()
for attempt in (lambda: ours.connect(sys.argv[1]), lambda: ours.sendto(b"x", sys.argv[1])):
    try:
        attempt()
        print("reached")
    except OSError as error:
        print("refused")
"""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        assert "reached" not in run(landlock, code, path).stdout


def test_deleted_files_count(landlock: Landlock) -> None:
    """Files that have no name any more still take their place on the disk."""
    code = """
import os, time
held = []
for number in range(20):
    file = open(f"file-{number}", "wb")
    os.unlink(file.name)
    file.write(bytes(4 << 20))
    file.flush()
    held.append(file)
time.sleep(5)
print("held them all")
"""
    box = landlock.open_box(Limits(disk_bytes=16 * MIB))
    box.write_files({"program.py": code.encode()})
    result = box.run([landlock.python(), "program.py"])
    box.close()
    assert result.limit == "disk: 16 MiB" or "No space left" in result.stderr


def test_folder_is_private(landlock: Landlock) -> None:
    """Nobody else on the machine can look into a box."""
    box = landlock.open_box(Limits())
    folder = Path(box.run(["/bin/pwd"]).stdout.strip()).parent
    mode = folder.stat().st_mode
    box.close()
    assert mode & 0o066 == 0
