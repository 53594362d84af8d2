"""What is left of a box: nothing."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from box_types import OpenBox
from pytest_llmbench.sandbox.protocol import Box, Limits, Sandbox, SandboxError

DEADLINE_S = 2.0


def processes_with(marker: str) -> set[int]:
    """Processes of the machine that carry a word in their command."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in command:
                found.add(int(folder.name))
    return found


def wait_for_end(pidfds: list[int], deadline_s: float) -> bool:
    """Whether all processes ended in time."""
    poller = select.poll()
    for pidfd in pidfds:
        poller.register(pidfd, select.POLLIN)
    waiting = set(pidfds)
    while waiting:
        ended = poller.poll(deadline_s * 1000)
        if not ended:
            return False
        for pidfd, _ in ended:
            poller.unregister(pidfd)
            waiting.discard(pidfd)
    return True


def mounts() -> set[str]:
    return {
        line for line in Path("/proc/self/mounts").read_text().splitlines() if "llmbench" in line
    }


LEAVE_BEHIND = """
import os, subprocess, sys, time
marker = sys.argv[1]
sleep = [sys.executable, "-c", "import time; time.sleep(60)", marker]
subprocess.Popen(sleep)
subprocess.Popen(sleep, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, sleep)
    os._exit(0)
print("left", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_processes_left_behind_end_with_the_run(sandbox: Sandbox, open_box: OpenBox) -> None:
    """A child, a child in a session of its own, a daemon: none outlives its program."""
    marker = f"left-behind-{os.getpid()}-{sandbox.name}"
    box = open_box()
    box.write_files({"leave.py": LEAVE_BEHIND.encode()})
    result = box.run([sandbox.python(), "leave.py", marker, "0"])
    assert result.stdout == "left\n"
    assert processes_with(marker) == set()


def test_processes_that_fork_away_from_their_end(sandbox: Sandbox, open_box: OpenBox) -> None:
    """A chain in which each process forks the next and ends is cut all the same."""
    marker = f"chain-{os.getpid()}-{sandbox.name}"
    code = """
import os, sys
print("begun", flush=True)
while True:
    if os.fork():
        os._exit(0)
"""
    box = open_box(time_s=1.0)
    result = box.run([sandbox.python(), "-c", code, marker])
    assert result.stdout == "begun\n"
    assert processes_with(marker) == set()


HOSTILE_TREE = """
import os
os.mkdir("closed")
os.mkdir("closed/inner")
open("closed/inner/file", "w").close()
os.symlink("/", "root")
os.symlink(".", "closed/loop")
os.mkfifo("pipe")
os.mkfifo("closed/inner/pipe")
os.mkdir(b"odd \\xff\\n name")
for name in ("deep", os.path.expanduser("~/deep")):
    os.mkdir(name)
    here = os.open(name, os.O_RDONLY)
    for level in range(1000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
os.chmod("closed/inner", 0)
os.chmod("closed", 0)
print("planted")
"""


def folder_of(box: Box) -> Path:
    """Where a box lies, if it lies on the machine's own file system."""
    printed = box.run(["/bin/sh", "-c", 'dirname "$TMPDIR"']).stdout
    return Path(printed.strip())


def is_gone(folder: Path) -> bool:
    """Whether nothing is left of a box; a box of bubblewrap's is seen from within only."""
    return folder == Path("/") or not folder.exists()


def test_hostile_trees_are_removed(sandbox: Sandbox) -> None:
    """Deep, closed, linked and odd: closing the box leaves no folder and raises nothing."""
    box = sandbox.open_box(Limits())
    folder = folder_of(box)
    box.write_files({"plant.py": HOSTILE_TREE.encode()})
    result = box.run([sandbox.python(), "plant.py"])
    assert result.stdout == "planted\n", result
    assert box.list_files()[-1] == "plant.py"
    box.close()
    assert is_gone(folder)


def test_deeply_nested_folders_are_removed(sandbox: Sandbox) -> None:
    """3000 folders within each other, which no recursive removal survives."""
    code = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nprint('dug')"
    box = sandbox.open_box(Limits(files=10_000))
    folder = folder_of(box)
    result = box.run([sandbox.python(), "-c", code])
    assert result.stdout == "dug\n", result
    assert box.list_files() == []
    box.close()
    assert is_gone(folder)


HOLDER = """
import sys
from pytest_llmbench.sandbox.choose import builtin_sandboxes, choose_sandbox
from pytest_llmbench.sandbox.protocol import Limits
name, marker = sys.argv[1:]
sandbox = choose_sandbox(name, builtin_sandboxes())
boxes = [sandbox.open_box(Limits()) for _ in range(2)]
for box in boxes:
    box.write_files({"leave.py": sys.stdin.read().encode()} if box is boxes[0] else {"x": b"x"})
print("open", flush=True)
boxes[0].run([sandbox.python(), "leave.py", marker, "60"], timeout_s=60)
"""


def test_nothing_survives_when_the_tests_are_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGKILL to the process that holds boxes: within 2 s no process, folder or mount is left."""
    marker = f"orphan-{os.getpid()}-{sandbox.name}"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, sandbox.name, marker],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(LEAVE_BEHIND)
        holder.stdin.close()
        assert holder.stdout.readline() == "open\n"
        # The holder itself, the program, two children and a daemon.
        wait_until(lambda: len(processes_with(marker)) >= 5, 10.0)
        family = processes_with(marker) | descendants(holder.pid)
        pidfds = [os.pidfd_open(pid) for pid in sorted(family)]
        holder.kill()
        ended = wait_for_end(pidfds, DEADLINE_S)
    for pidfd in pidfds:
        os.close(pidfd)
    assert ended
    wait_until(lambda: list(tmp_path.iterdir()) == [], DEADLINE_S)
    assert not [line for line in mounts() if str(tmp_path) in line]


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for task in Path("/proc", str(waiting.pop()), "task").glob("*/children"):
            below = {int(child) for child in task.read_text().split()}
            found |= below
            waiting += below
    return found


def wait_until(holds: Callable[[], bool], deadline_s: float) -> None:
    """Look again and again until a condition of another process holds."""
    give_up = time.monotonic() + deadline_s
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < give_up, "it did not come to hold in time"
        pause.wait(0.01)


def test_closing_a_sandbox_ends_its_boxes(sandbox: Sandbox) -> None:
    """Boxes that nobody closed end with their sandbox; their launcher too."""
    other = type(sandbox)()
    box = other.open_box(Limits())
    folder = folder_of(box)
    below = descendants(os.getpid())
    other.close()
    assert is_gone(folder)
    assert len(descendants(os.getpid())) < len(below)
    with pytest.raises(SandboxError):
        box.run(["/bin/true"])
    box.close()


def test_box_outlives_the_thread_that_opened_it(sandbox: Sandbox) -> None:
    """A box opened in a thread works after the thread's end."""
    boxes: list[Box] = []
    thread = threading.Thread(target=lambda: boxes.append(sandbox.open_box(Limits())))
    thread.start()
    thread.join()
    assert boxes[0].run(["/bin/echo", "alive"]).stdout == "alive\n"
    boxes[0].close()


def test_sandbox_first_used_in_a_thread(sandbox: Sandbox) -> None:
    """Nor does the launcher end with the thread that happened to need it first."""
    other = type(sandbox)()
    thread = threading.Thread(target=lambda: other.open_box(Limits()).close())
    thread.start()
    thread.join()
    box = other.open_box(Limits())
    assert box.run(["/bin/echo", "alive"]).stdout == "alive\n"
    box.close()
    other.close()


def test_boxes_in_several_threads(sandbox: Sandbox) -> None:
    """Boxes of one sandbox may be used at once, each by its own thread."""

    def use(number: int) -> str:
        box = sandbox.open_box(Limits())
        try:
            box.write_files({"number": str(number).encode()})
            return box.run(["/bin/cat", "number"]).stdout
        finally:
            box.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(8))) == [str(number) for number in range(8)]
