"""What a program may use, and what becomes of one that takes more."""

from __future__ import annotations

from box_types import OpenBox, RunPython
from pytest_llmbench.sandbox.protocol import MIB, Sandbox

FORK_BOMB = """
import os, time
alive = 0
try:
    while alive < 200:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        alive += 1
except OSError as error:
    print(type(error).__name__)
print(alive)
"""


def test_fork_bomb(run_python: RunPython) -> None:
    """No more processes than allowed ever live; the bomb is refused, or stopped and named."""
    result = run_python(FORK_BOMB, processes=32)
    if result.limit is None:
        refusal, alive = result.stdout.split()
        assert refusal == "BlockingIOError"
        assert 16 <= int(alive) <= 32
    else:
        assert result.limit == "processes: 32"
        assert result.returncode is None


HOLD = """
import sys, time
held = bytearray(int(sys.argv[1]))
for place in range(0, len(held), 4096):
    held[place] = 1
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_memory_of_one_process(run_python: RunPython) -> None:
    result = run_python(HOLD, str(300 * MIB), "5", memory_bytes=128 * MIB)
    assert result.out_of_memory
    assert result.limit == "memory: 128 MiB"
    assert result.returncode is None
    assert result.duration_s < 4


SHARE_OUT = """
import subprocess, sys
children = [subprocess.Popen([sys.executable, "hold.py", sys.argv[1], "5"]) for _ in range(6)]
for child in children:
    child.wait()
"""


def test_memory_of_several_processes(sandbox: Sandbox, open_box: OpenBox) -> None:
    """The limit is that of all processes together."""
    box = open_box(memory_bytes=128 * MIB)
    box.write_files({"hold.py": HOLD.encode(), "main.py": SHARE_OUT.encode()})
    result = box.run([sandbox.python(), "main.py", str(40 * MIB)])
    assert result.limit == "memory: 128 MiB"


def test_memory_inherited_by_children_counts_once(run_python: RunPython) -> None:
    """Four children that share their parent's pages are no memory hogs."""
    code = """
import os, time
held = bytearray(60 << 20)
for place in range(0, len(held), 4096):
    held[place] = 1
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        time.sleep(0.4)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
print("done")
"""
    result = run_python(code, memory_bytes=128 * MIB)
    assert (result.limit, result.stdout) == (None, "done\n")


def test_one_large_file(run_python: RunPython) -> None:
    """Writing beyond the largest file fails in the program."""
    code = """
import errno, os
try:
    with open("large", "wb") as file:
        for _ in range(32):
            file.write(b"x" * (1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno], os.stat("large").st_size)
"""
    result = run_python(code, file_bytes=4 * MIB)
    assert result.stdout == f"EFBIG {4 * MIB}\n"


def test_large_file_of_a_program_that_heeds_the_signal(run_python: RunPython) -> None:
    """Where the kernel's signal ends a program, the limit is named."""
    code = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
with open("large", "wb") as file:
    file.write(b"x" * (8 << 20))
"""
    result = run_python(code, file_bytes=4 * MIB)
    assert (result.returncode, result.limit) == (None, "file size: 4 MiB")


def test_sparse_file(run_python: RunPython) -> None:
    result = run_python("open('sparse', 'wb').truncate(10 << 40)")
    assert result.returncode == 1
    assert "File too large" in result.stderr


FILL = """
import os, sys, time
written = 0
try:
    for number in range(40):
        with open(os.path.join(os.environ[sys.argv[1]], f"file-{number}"), "wb") as file:
            for _ in range(20):
                file.write(b"x" * 100_000)
                written += 100_000
        time.sleep(0.01)
except OSError as error:
    print(error.strerror)
print(written)
"""


def test_many_files_fill_the_disk(sandbox: Sandbox, open_box: OpenBox) -> None:
    """80 MB in 40 files meet a limit of 16 MiB, wherever they are put: refused or stopped."""
    for place in ("HOME", "TMPDIR"):
        box = open_box(disk_bytes=16 * MIB)
        box.write_files({"fill.py": FILL.encode()})
        result = box.run([sandbox.python(), "fill.py", place])
        if result.limit is None:
            reason, written = result.stdout.splitlines()
            assert reason == "No space left on device"
            assert int(written) < 17 * MIB
        else:
            assert result.limit == "disk: 16 MiB"


def test_disk_is_one_account(sandbox: Sandbox, open_box: OpenBox) -> None:
    """Half in the workspace and half in HOME is as much as all in one."""
    box = open_box(disk_bytes=16 * MIB, file_bytes=32 * MIB)
    code = "import os, sys; open(os.path.expanduser(sys.argv[1]), 'wb').write(bytes(10 << 20))"
    first = box.run([sandbox.python(), "-c", code, "half"])
    assert (first.returncode, first.limit) == (0, None)
    second = box.run([sandbox.python(), "-c", code, "~/half"])
    assert second.limit == "disk: 16 MiB" or "No space left" in second.stderr


def test_many_small_files(run_python: RunPython) -> None:
    """Empty files are counted too: refused or stopped."""
    code = """
import os, time
made = 0
try:
    for number in range(4000):
        os.mkdir(f"folder-{number}")
        made += 1
        if number % 100 == 0:
            time.sleep(0.005)
except OSError as error:
    print(error.strerror)
print(made)
"""
    result = run_python(code, files=500)
    if result.limit is None:
        assert result.stdout.startswith("No space left on device\n")
    else:
        assert result.limit == "files: 500"


def test_disk_filled_by_a_program_that_nobody_looked_at(
    sandbox: Sandbox, open_box: OpenBox
) -> None:
    """What was left behind is measured at the end of each run, however short."""
    box = open_box(disk_bytes=2 * MIB)
    box.write_files({"large": bytes(MIB)})
    result = box.run(["/bin/cp", "large", "copy"])
    again = box.run(["/bin/cp", "large", "other"])
    assert "disk: 2 MiB" in {result.limit, again.limit} or "No space left" in (
        result.stderr + again.stderr
    )


def test_limits_hold_for_each_run_anew(sandbox: Sandbox, open_box: OpenBox) -> None:
    """A run that met its limit takes nothing from the next one."""
    box = open_box(memory_bytes=128 * MIB)
    box.write_files({"hold.py": HOLD.encode()})
    assert box.run([sandbox.python(), "hold.py", str(300 * MIB), "5"]).out_of_memory
    assert box.run([sandbox.python(), "hold.py", "1000", "0"]).stdout == "held\n"
    assert box.run([sandbox.python(), "hold.py", "1000", "5"], timeout_s=0.3).timed_out
    assert box.run([sandbox.python(), "hold.py", "1000", "0"]).stdout == "held\n"
