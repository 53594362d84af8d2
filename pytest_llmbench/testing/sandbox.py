"""The conformance suite for sandboxes: what every one of them does, and what it contains.

A sandbox's own tests inherit from the two classes and name the sandbox:

    class TestMySandbox(SandboxConformance):
        @pytest.fixture(scope="class")
        @classmethod
        def sandbox(cls):
            sandbox = MySandbox()
            yield sandbox
            sandbox.close()

    class TestMySandboxContains(SandboxContainment):
        …the same fixture…

Each check is a test with one claim. A check that a sandbox cannot meet, and says so in its
`restrictions`, is for its author to override with a skip and the reason.
"""

# ruff: noqa: S101, PLR2004 - tests are made of assertions and expected figures

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.protocol import (
    KIB,
    MIB,
    Box,
    Limits,
    ProgramResult,
    Sandbox,
    SandboxError,
)
from pytest_llmbench.testing.attacks import ATTACKS
from pytest_llmbench.testing.attacks.attack import (
    Attack,
    read_outcome,
    settings_of,
)
from pytest_llmbench.testing.attacks.ground import (
    ENVIRONMENT_KEY,
    Ground,
    NoPlaceError,
    prepare_ground,
)

SMALL_LIMITS = Limits(
    time_s=5.0,
    cpu_s=10,
    memory_bytes=128 * MIB,
    processes=32,
    file_bytes=4 * MIB,
    disk_bytes=16 * MIB,
    files=400,
    output_bytes=64 * KIB,
)
"""The limits of the boxes in these suites: attacks on resources go a little beyond them."""
LATE_S = 1.0
"""How long after its time limit a run's result may come."""


class SandboxConformance:
    """What the protocol promises to those who run programs."""

    limits = SMALL_LIMITS

    @pytest.fixture
    def python(self, sandbox: Sandbox) -> str:
        """The interpreter, as programs in a box see it."""
        return sandbox.python()

    @pytest.fixture
    def box(self, sandbox: Sandbox) -> Iterator[Box]:
        """A fresh box."""
        box = sandbox.open_box(self.limits)
        yield box
        box.close()

    # Results

    def test_it_proves_itself(self, sandbox: Sandbox) -> None:
        """On a machine where the suite runs, there is no obstacle."""
        assert sandbox.find_obstacle() is None

    def test_exit_code_stdout_and_stderr_are_told(self, box: Box, python: str) -> None:
        """An ordinary run: its code and both of its outputs."""
        code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
        result = box.run([python, "-c", code])
        assert result.argv == (python, "-c", code)
        assert (result.returncode, result.stdout, result.stderr) == (3, "out\n", "err\n")
        assert_no_limit(result)

    def test_signal_is_told_from_exit_code(self, box: Box, python: str) -> None:
        """A program that signal N ends gives -N; one that exits with 128 + N gives just that."""
        killed = box.run([python, "-c", "import os; os.kill(os.getpid(), 9)"])
        assert killed.returncode == -9
        crashed = box.run([python, "-c", "import os; os.kill(os.getpid(), 11)"])
        assert crashed.returncode == -11
        exited = box.run([python, "-c", "raise SystemExit(137)"])
        assert exited.returncode == 137
        for result in (killed, crashed, exited):
            assert_no_limit(result)

    def test_command_that_does_not_exist_is_a_result(self, box: Box) -> None:
        """As a shell has it: 126 or 127."""
        result = box.run(["llmbench-no-such-command"])
        assert result.returncode in {126, 127}

    def test_arguments_arrive_as_given(self, box: Box, python: str) -> None:
        """No shell comes between."""
        words = ["a b", "$HOME", "*", "", "'\"", "ünï", "-x"]
        result = box.run(
            [python, "-c", "import json, sys; print(json.dumps(sys.argv[1:]))", *words]
        )
        assert json.loads(result.stdout) == words

    def test_bytes_that_are_not_utf8_stand_as_escapes(self, box: Box, python: str) -> None:
        """Nothing is lost, and what is UTF-8 is decoded."""
        code = r"import os; os.write(1, b'\xc3\xa9 \xff\x00\x1b.'); os.write(2, b'\xfe')"
        result = box.run([python, "-c", code])
        assert result.stdout == "é \\xff\x00\x1b."
        assert result.stderr == "\\xfe"

    def test_stdin_is_given(self, box: Box, python: str) -> None:
        """All of it, then the end of file."""
        text = b"a line\n" * 20_000
        result = box.run([python, "-c", "import sys; print(len(sys.stdin.read()))"], stdin=text)
        assert result.stdout == f"{len(text)}\n"

    def test_stdin_that_is_not_read_does_no_harm(self, box: Box, python: str) -> None:
        """A program may end without reading."""
        result = box.run([python, "-c", "print('done')"], stdin=b"x" * MIB)
        assert (result.returncode, result.stdout) == (0, "done\n")

    def test_stdin_is_at_its_end_unless_given(self, box: Box, python: str) -> None:
        """A program that asks a question gets EOFError, and does not wait."""
        result = box.run([python, "-c", "input()"])
        assert result.returncode == 1
        assert "EOFError" in result.stderr
        assert not result.timed_out

    # Limits

    def test_time_limit_ends_the_run(self, box: Box, python: str) -> None:
        """The run is stopped in time, and its result says so."""
        result = box.run([python, "-c", "print('on', flush=True)\nwhile True: pass"], timeout_s=0.5)
        assert result.timed_out
        assert result.returncode is None
        assert result.limit == "time: 0.5 s"
        assert result.stdout == "on\n"
        assert result.duration_s < 0.5 + LATE_S

    def test_time_limit_of_the_box_holds_without_a_timeout(
        self, sandbox: Sandbox, python: str
    ) -> None:
        """`Limits.time_s` is the limit when a run names none."""
        box = sandbox.open_box(Limits(time_s=0.5))
        try:
            result = box.run([python, "-c", "import time; time.sleep(30)"])
        finally:
            box.close()
        assert result.timed_out
        assert result.limit == "time: 0.5 s"
        assert result.duration_s < 0.5 + LATE_S

    def test_time_limit_holds_though_a_grandchild_keeps_stdout(self, box: Box, python: str) -> None:
        """A process in a session of its own, with the output open, does not delay the result."""
        code = """
import os, time
if not os.fork():
    os.setsid()
    time.sleep(30)
time.sleep(30)
"""
        result = box.run([python, "-c", code], timeout_s=0.5)
        assert result.timed_out
        assert result.duration_s < 0.5 + LATE_S

    def test_run_ends_with_its_program(self, box: Box, python: str) -> None:
        """What a program leaves in the background does not delay the result."""
        code = "import os, time\nprint('done', flush=True)\nif not os.fork(): time.sleep(30)"
        result = box.run([python, "-c", code])
        assert (result.returncode, result.stdout) == (0, "done\n")
        assert result.duration_s < LATE_S

    @pytest.mark.parametrize(("name", "descriptor"), [("stdout", 1), ("stderr", 2)])
    def test_output_is_cut_and_said_to_be(
        self, box: Box, python: str, name: str, descriptor: int
    ) -> None:
        """The first `output_bytes` are kept; the program goes on undisturbed."""
        limit = self.limits.output_bytes
        code = f"import os\nfor _ in range({limit // 256}): os.write({descriptor}, b'x' * 1024)"
        result = box.run([python, "-c", code])
        assert result.returncode == 0
        assert result.output_truncated
        assert getattr(result, name) == "x" * limit

    def test_output_up_to_its_limit_is_whole(self, box: Box, python: str) -> None:
        """Nothing is cut that fits."""
        limit = self.limits.output_bytes
        result = box.run([python, "-c", f"print('x' * {limit - 1})"])
        assert len(result.stdout) == limit
        assert not result.output_truncated

    def test_memory_limit_is_told(self, box: Box, python: str) -> None:
        """A program that takes too much is stopped, or refused the memory."""
        twice = 2 * self.limits.memory_bytes
        code = f"import time; x = b'x' * {twice}; time.sleep(0.7); print('held')"
        result = box.run([python, "-c", code])
        assert "held" not in result.stdout
        assert result.out_of_memory or "MemoryError" in result.stderr
        assert not result.timed_out

    # Environment

    def test_environment_is_clean(
        self, sandbox: Sandbox, python: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing of the user's environment is in the program's."""
        monkeypatch.setenv(ENVIRONMENT_KEY, "sk-planted")
        box = sandbox.open_box(self.limits)
        try:
            code = "import json, os; print(json.dumps(dict(os.environ)))"
            result = box.run([python, "-c", code])
        finally:
            box.close()
        environment = json.loads(result.stdout)
        assert ENVIRONMENT_KEY not in environment
        assert "sk-planted" not in environment.values()

    def test_environment_is_added_to(self, box: Box, python: str) -> None:
        """`env` comes on top of the box's own variables."""
        code = "import os; print(os.environ['ADDED'], 'PATH' in os.environ, 'HOME' in os.environ)"
        result = box.run([python, "-c", code], env={"ADDED": "yes"})
        assert result.stdout == "yes True True\n"

    def test_programs_start_in_the_workspace(self, box: Box, python: str) -> None:
        """A file written without a folder lies in the workspace."""
        box.run([python, "-c", "open('made', 'w').write('x')"])
        assert box.list_files() == ["made"]

    # Files

    def test_files_are_written_read_and_listed(self, box: Box, python: str) -> None:
        """Any bytes, in folders that are made as needed."""
        files = {"a.py": b"print(1)\n", "deep/er/b.bin": bytes(range(256)), "empty": b""}
        box.write_files(files)
        assert box.list_files() == sorted(files)
        assert {path: box.read_file(path) for path in files} == files
        assert box.run([python, "a.py"]).stdout == "1\n"

    def test_files_are_replaced(self, box: Box) -> None:
        """Writing a path again replaces the content."""
        box.write_files({"a": b"long content"})
        box.write_files({"a": b"new"})
        assert box.read_file("a") == b"new"

    def test_missing_file_is_told(self, box: Box) -> None:
        """It is no fault of the box."""
        with pytest.raises(FileNotFoundError):
            box.read_file("missing")

    @pytest.mark.parametrize(
        "path", ["/etc/passwd", "../outside", "a/../../outside", "..", "", "/", "a\0b"]
    )
    def test_path_that_leads_outside_is_refused(self, box: Box, path: str) -> None:
        """For reading and for writing."""
        with pytest.raises(SandboxError):
            box.read_file(path)
        with pytest.raises(SandboxError):
            box.write_files({path: b"x"})

    def test_folder_is_no_file(self, box: Box) -> None:
        """Reading one is refused."""
        box.write_files({"folder/file": b""})
        with pytest.raises(SandboxError):
            box.read_file("folder")

    def test_file_beyond_the_wanted_size_is_refused(self, box: Box) -> None:
        """Up to `max_bytes` it is read whole."""
        box.write_files({"file": b"12345"})
        assert box.read_file("file", max_bytes=5) == b"12345"
        with pytest.raises(SandboxError):
            box.read_file("file", max_bytes=4)

    def test_links_are_not_followed(self, box: Box, python: str, tmp_path: Path) -> None:
        """Neither to the host's files nor to the program's own, as last part or on the way."""
        outside = tmp_path / "outside"
        outside.write_text("private", "utf-8")
        box.write_files({"own/file": b"own"})
        code = f"""
import os
os.symlink({str(outside)!r}, "link-out")
os.symlink({str(tmp_path)!r}, "folder-out")
os.symlink("own/file", "link")
os.symlink("own", "folder-link")
"""
        assert box.run([python, "-c", code]).returncode == 0
        for path in ("link-out", "folder-out/outside", "link", "folder-link/file"):
            with pytest.raises((SandboxError, FileNotFoundError)):
                box.read_file(path)
        assert box.list_files() == ["own/file"]

    def test_links_are_not_written_through(self, box: Box, python: str, tmp_path: Path) -> None:
        """What stands in the way of a file is replaced or refused; its target stays as it was."""
        outside = tmp_path / "outside"
        outside.write_text("untouched", "utf-8")
        box.write_files({"own/file": b"untouched"})
        code = f"""
import os
os.symlink({str(outside)!r}, "link-out")
os.symlink({str(tmp_path)!r}, "folder-out")
os.symlink("own/file", "link")
"""
        assert box.run([python, "-c", code]).returncode == 0
        for path in ("link-out", "folder-out/outside", "link"):
            try:
                box.write_files({path: b"overwritten"})
            except SandboxError:
                continue
            assert box.read_file(path) == b"overwritten"
        assert outside.read_text("utf-8") == "untouched"
        assert [each.name for each in tmp_path.iterdir()] == ["outside"]
        assert box.read_file("own/file") == b"untouched"

    def test_pipe_is_no_file(self, box: Box, python: str) -> None:
        """It is not listed, and reading it is refused at once."""
        box.run([python, "-c", "import os; os.mkfifo('pipe')"])
        with pytest.raises(SandboxError):
            box.read_file("pipe")
        assert box.list_files() == []

    def test_readable_folder_is_seen_and_not_written(
        self, sandbox: Sandbox, python: str, tmp_path: Path
    ) -> None:
        """At its own path; programs may run as another user, so it is one that is open to all."""
        tmp_path.chmod(0o755)
        (tmp_path / "tool.txt").write_text("shown", "utf-8")
        box = sandbox.open_box(self.limits, readable=[tmp_path])
        try:
            path = str(tmp_path / "tool.txt")
            code = f"print(open({path!r}).read())\nopen({path!r}, 'w')"
            result = box.run([python, "-c", code])
        finally:
            box.close()
        assert result.stdout == "shown\n", result.stderr
        assert result.returncode == 1
        assert (tmp_path / "tool.txt").read_text("utf-8") == "shown"

    # Boxes

    def test_workspace_and_home_last_between_runs(self, box: Box, python: str) -> None:
        """What one command leaves, the next one finds."""
        write = """
from pathlib import Path
for path in (Path('here'), Path.home() / '.todo'):
    path.write_text('x')
"""
        read = """
from pathlib import Path
print(Path('here').exists(), (Path.home() / '.todo').exists())
"""
        assert box.run([python, "-c", write]).returncode == 0
        assert box.run([python, "-c", read]).stdout == "True True\n"

    def test_home_is_not_the_workspace(self, box: Box, python: str) -> None:
        """What a program keeps in HOME is none of the answer's files."""
        code = "from pathlib import Path; (Path.home() / '.todo').write_text('x')"
        assert box.run([python, "-c", code]).returncode == 0
        assert box.list_files() == []

    def test_boxes_share_nothing(self, sandbox: Sandbox, python: str) -> None:
        """Neither one after the other nor side by side: no file, no process."""
        write = """
import pathlib, tempfile
for folder in (".", pathlib.Path.home(), tempfile.gettempdir()):
    pathlib.Path(folder, "llmbench-left").write_text("x")
print(pathlib.Path.cwd(), pathlib.Path.home())
"""
        read = """
import pathlib, sys, tempfile
for folder in (".", pathlib.Path.home(), tempfile.gettempdir(), *sys.argv[1:]):
    try:
        if pathlib.Path(folder, "llmbench-left").exists(): print("found in", folder)
    except OSError:
        pass
"""
        first, second = sandbox.open_box(self.limits), sandbox.open_box(self.limits)
        try:
            folders = first.run([python, "-c", write]).stdout.split()
            beside = second.run([python, "-c", read, *folders])
            first.close()
            third = sandbox.open_box(self.limits)
            after = third.run([python, "-c", read, *folders])
            third.close()
        finally:
            first.close()
            second.close()
        assert (beside.returncode, beside.stdout) == (0, "")
        assert (after.returncode, after.stdout) == (0, "")

    def test_nothing_runs_on_between_runs(self, box: Box, python: str) -> None:
        """What a program leaves in the background ends with the run."""
        code = """
import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
while True:
    with open("beats", "a") as file: file.write(".")
    time.sleep(0.02)
"""
        start = f"import os, time\nif not os.fork(): exec({code!r})\ntime.sleep(0.3)"
        assert box.run([python, "-c", start]).returncode == 0
        before = box.read_file("beats")
        assert before
        box.run([python, "-c", "import time; time.sleep(0.2)"])
        assert box.read_file("beats") == before

    def test_hostile_trees_are_removed(self, sandbox: Sandbox, python: str) -> None:
        """Folders that are very deep, locked or oddly named do not keep a box from closing."""
        code = r"""
import os
os.mkdir(b"odd\xff\n name")
os.mkdir("locked")
open("locked/file", "w").close()
os.chmod("locked", 0)
os.mkdir("deep")
os.chdir("deep")
for _ in range(150):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
"""
        box = sandbox.open_box(self.limits)
        assert box.run([python, "-c", code]).returncode == 0
        box.list_files()
        box.close()

    def test_closing_twice_is_harmless(self, sandbox: Sandbox, python: str) -> None:
        """And a closed box runs nothing."""
        box = sandbox.open_box(self.limits)
        box.close()
        box.close()
        with pytest.raises(SandboxError):
            box.run([python, "-c", "print('still here')"])

    # Honest programs

    @pytest.mark.parametrize(
        "code",
        [
            pytest.param(
                """
import sqlite3, pathlib
for folder in (pathlib.Path("."), pathlib.Path.home()):
    with sqlite3.connect(folder / "todo.db") as base:
        base.execute("create table todo (what)")
        base.execute("insert into todo values ('milk')")
        assert base.execute("select * from todo").fetchall() == [("milk",)]
""",
                id="sqlite in the folder and in HOME",
            ),
            pytest.param(
                """
import threading
gate = threading.Barrier(20)
threads = [threading.Thread(target=gate.wait) for _ in range(19)]
for each in threads: each.start()
gate.wait()
for each in threads: each.join()
""",
                id="20 threads",
            ),
            pytest.param(
                """
import subprocess, sys
done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True)
assert done.stdout == "42\\n", done
""",
                id="subprocess",
            ),
            pytest.param(
                """
import subprocess
child = subprocess.Popen(["sleep", "30"])
child.terminate()
assert child.wait(5) == -15
""",
                id="ending its own child",
            ),
            pytest.param(
                """
import tempfile
with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile(dir=folder) as file:
    file.write(b"x")
""",
                id="tempfile",
            ),
            pytest.param(
                """
import os, pathlib, shutil
pathlib.Path("made").touch()
assert pathlib.Path("made").exists()
pathlib.Path("made").touch()
os.utime("made", (1, 1))
shutil.copy2("made", "copied")
os.chmod("made", 0o644)
assert sorted(os.listdir(".")) == ["copied", "made"]
""",
                id="touch and copy",
            ),
            pytest.param("import getpass\nassert getpass.getuser()", id="getuser"),
            pytest.param("print('naïve ✓ 漢字')\nopen('ü.txt', 'w').write('✓')", id="UTF-8"),
        ],
    )
    def test_honest_program_runs(self, box: Box, python: str, code: str) -> None:
        """What answers to coding tasks do every day."""
        result = box.run([python, "-c", code])
        assert (result.returncode, result.stderr) == (0, "")


def assert_no_limit(result: ProgramResult) -> None:
    """The run ended by itself, with all of its output."""
    assert not result.timed_out
    assert not result.out_of_memory
    assert not result.output_truncated
    assert result.limit is None


class SandboxContainment:
    """What hostile programs must not achieve; see `pytest_llmbench.testing.attacks`.

    The witnesses look at /proc, so these tests need Linux.
    """

    limits = SMALL_LIMITS

    @pytest.fixture(scope="class")
    @classmethod
    def ground(cls) -> Iterator[Ground]:
        """The planted witnesses, there before the sandbox starts."""
        with prepare_ground(cls.limits) as ground:
            yield ground

    @pytest.fixture(scope="class")
    @classmethod
    def started_sandbox(cls, ground: Ground, request: pytest.FixtureRequest) -> Sandbox:
        """The sandbox, started with the planted key in the environment."""
        del ground  # it only has to be there first
        sandbox: Sandbox = request.getfixturevalue("sandbox")
        return sandbox

    @pytest.fixture(scope="class")
    @classmethod
    def shared_box(cls, started_sandbox: Sandbox, ground: Ground) -> Iterator[Box]:
        """One box for all attacks that leave it usable."""
        box = started_sandbox.open_box(cls.limits, readable=[ground.readable])
        yield box
        box.close()

    @pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
    def test_attack_is_contained(
        self, attack: Attack, ground: Ground, started_sandbox: Sandbox, shared_box: Box
    ) -> None:
        """The witness on the host finds no harm, and the program did run."""
        if not attack.fills_box:
            harm = attack_box(attack, ground, shared_box, started_sandbox.python())
        else:
            box = started_sandbox.open_box(self.limits, readable=[ground.readable])
            try:
                harm = attack_box(attack, ground, box, started_sandbox.python())
            finally:
                box.close()
        assert harm is None

    def test_program_cannot_disturb_its_box(self, started_sandbox: Sandbox, ground: Ground) -> None:
        """Neither by signals to whatever started it, nor by writing where that reads or writes."""
        code = """
import os, signal
parent = os.getppid()
for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
    try:
        if parent: os.kill(parent, number)
    except OSError:
        pass
for descriptor in range(32):
    try:
        with open(f"/proc/{parent}/fd/{descriptor}", "wb", buffering=0) as file:
            file.write(b"forged " * 20)
    except OSError:
        pass
print("honest")
raise SystemExit(7)
"""
        python = started_sandbox.python()
        box = started_sandbox.open_box(self.limits)
        try:
            result = box.run([python, "-c", code, ground.token])
            after = box.run([python, "-c", "print('still here')"])
        finally:
            box.close()
        assert (result.returncode, result.stdout) == (7, "honest\n")
        assert after.stdout == "still here\n"


def attack_box(attack: Attack, ground: Ground, box: Box, python: str) -> str | None:
    """Run an attack in a box: what it achieved, or None.

    Skips where the witness cannot be planted. Raises AttackDidNotRunError where the program did
    not come to its first attempt.
    """

    def read(path: str) -> bytes | None:
        try:
            return box.read_file(path)
        except (SandboxError, FileNotFoundError):
            return None

    try:
        with attack.plant(ground) as planted:
            argv = [python, "-I", "-S", "-c", attack.source(), settings_of(planted, ground)]
            run = box.run(argv, timeout_s=attack.timeout_s)
            return planted.find_harm(read_outcome(run, ground, read))
    except NoPlaceError as error:
        pytest.skip(str(error))
