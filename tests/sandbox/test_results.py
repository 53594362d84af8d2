"""What a run tells about its program."""

from __future__ import annotations

import time

import pytest

from box_types import OpenBox, RunPython
from pytest_llmbench.sandbox.protocol import MIB, Sandbox, SandboxError


def test_exit_code(run_python: RunPython) -> None:
    """An exit code is told as it is, with both streams."""
    result = run_python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (result.returncode, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert (result.timed_out, result.output_truncated, result.out_of_memory) == (False,) * 3
    assert result.limit is None
    assert 0 < result.duration_s < 10


def test_exit_code_that_looks_like_a_signal(run_python: RunPython) -> None:
    """137 is what shells say for SIGKILL; here it is an exit code."""
    assert run_python("import sys; sys.exit(137)").returncode == 137


@pytest.mark.parametrize("number", [6, 9, 11, 15])
def test_signal(run_python: RunPython, number: int) -> None:
    """A death by signal is a negative number."""
    result = run_python(f"import os; os.kill(os.getpid(), {number})")
    assert result.returncode == -number
    assert result.limit is None


def test_time_limit(run_python: RunPython) -> None:
    """A program that hangs is stopped, and what it had written is kept."""
    code = "import time; print('begun', flush=True); time.sleep(60)"
    result = run_python(code, timeout_s=1)
    assert result.timed_out
    assert result.returncode is None
    assert result.limit == "time: 1 s"
    assert result.stdout == "begun\n"
    assert 1 <= result.duration_s < 2


def test_ignored_termination_signals_change_nothing(run_python: RunPython) -> None:
    """A program that ignores what can be ignored is stopped all the same."""
    code = (
        "import signal, time\n"
        "for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXCPU):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "time.sleep(60)"
    )
    assert run_python(code, timeout_s=0.5).timed_out


GRANDCHILD = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
time.sleep(float(sys.argv[1]))
"""


def test_grandchild_that_holds_stdout_after_the_end(run_python: RunPython) -> None:
    """A run ends with its program, not with what that left behind."""
    began = time.monotonic()
    result = run_python(GRANDCHILD, "0")
    assert result.returncode == 0
    assert time.monotonic() - began < 3


def test_grandchild_that_holds_stdout_beyond_the_limit(run_python: RunPython) -> None:
    """With a limit of 1 s the call returns within 2 s."""
    began = time.monotonic()
    result = run_python(GRANDCHILD, "60", timeout_s=1)
    assert result.limit == "time: 1 s"
    assert time.monotonic() - began < 2


def test_processor_time_limit(run_python: RunPython) -> None:
    """A program that computes for too long is told from one that hangs."""
    result = run_python("while True: pass", cpu_s=1)
    assert result.limit == "CPU time: 1 s"
    assert result.returncode is None
    assert not result.timed_out


def test_output_is_cut(run_python: RunPython) -> None:
    """Output beyond the limit is dropped, said so, and the program goes on."""
    result = run_python(
        "import sys\nfor _ in range(64): sys.stdout.write('x' * 100_000)\nsys.exit(5)",
        output_bytes=1000,
    )
    assert result.stdout == "x" * 1000
    assert result.output_truncated
    assert result.returncode == 5


def test_output_of_exactly_the_limit_is_whole(run_python: RunPython) -> None:
    result = run_python("print('x' * 999)", output_bytes=1000)
    assert len(result.stdout) == 1000
    assert not result.output_truncated


def test_endless_output_ends_with_the_time_limit(run_python: RunPython) -> None:
    result = run_python("while True: print('y' * 1000)", timeout_s=1, output_bytes=5000)
    assert result.timed_out
    assert result.output_truncated
    assert len(result.stdout) == 5000


def test_bytes_that_are_no_text(run_python: RunPython) -> None:
    """What is not UTF-8 stands as escapes; control characters are kept as written."""
    result = run_python(r"import sys; sys.stdout.buffer.write(b'a\xff\xc3\xa9\x1b[31m\0z')")
    assert result.stdout == "a\\xff\u00e9\x1b[31m\0z"


def test_stdin_is_at_its_end_unless_given(run_python: RunPython) -> None:
    result = run_python("input()")
    assert result.returncode == 1
    assert "EOFError" in result.stderr


def test_stdin_arrives_whole(run_python: RunPython) -> None:
    """More than a pipe holds, read by a program that writes meanwhile."""
    given = b"0123456789abcdef" * (MIB // 16)
    code = (
        "import sys\nfor line in iter(lambda: sys.stdin.buffer.read(1000), b''): print(len(line))"
    )
    result = run_python(code, stdin=given)
    assert sum(map(int, result.stdout.split())) == len(given)


def test_stdin_that_nobody_reads_does_no_harm(run_python: RunPython) -> None:
    assert run_python("print('done')", stdin=b"x" * MIB).stdout == "done\n"


def test_missing_program(open_box: OpenBox) -> None:
    """A command that cannot be found ends as in a shell."""
    result = open_box().run(["no-such-program"])
    assert result.returncode == 127
    assert result.stderr == "cannot start no-such-program: no such program\n"


def test_program_that_may_not_be_started(open_box: OpenBox) -> None:
    box = open_box()
    box.write_files({"plain.txt": b"text"})
    result = box.run(["./plain.txt"])
    assert result.returncode == 126
    assert result.stderr == "cannot start ./plain.txt: Permission denied\n"


@pytest.mark.parametrize("argv", [[], ["a\0b"]], ids=["empty", "nul"])
def test_no_command(open_box: OpenBox, argv: list[str]) -> None:
    with pytest.raises(SandboxError, match="no command that can be started"):
        open_box().run(argv)


def test_environment_is_clean(sandbox: Sandbox, open_box: OpenBox) -> None:
    """Nothing of the tests' own environment is there; what the caller adds is."""
    code = "import os; print(*sorted(os.environ.items()), sep='\\n')"
    result = open_box().run(
        [sandbox.python(), "-c", code], env={"EXTRA": "a=b", "TZ": "Asia/Tokyo"}
    )
    names = {line.split("'")[1] for line in result.stdout.splitlines()}
    assert names - {"LC_CTYPE"} == {
        "EXTRA",
        "HOME",
        "LANG",
        "LOGNAME",
        "MALLOC_ARENA_MAX",
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUTF8",
        "TMPDIR",
        "TZ",
        "USER",
    }
    assert "('EXTRA', 'a=b')" in result.stdout
    assert "('TZ', 'Asia/Tokyo')" in result.stdout


def test_closed_box(open_box: OpenBox) -> None:
    """A closed box says so; closing it again does nothing."""
    box = open_box()
    box.close()
    box.close()
    with pytest.raises(SandboxError, match=r"^the box is closed$"):
        box.run(["/bin/true"])
