"""The given tests decide about an answer, whatever the answer does to prevent it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pytest_llmbench.given_tests import GivenTestsError, PytestResult, run_given_tests
from pytest_llmbench.sandbox.bubblewrap import Bubblewrap
from pytest_llmbench.sandbox.landlock import Landlock
from pytest_llmbench.sandbox.protocol import MIB, Box, Limits, Sandbox, SandboxError

HONEST_ANSWER = b"""
def add(a, b):
    return a + b
"""
WRONG_ANSWER = b"""
def add(a, b):
    return None
"""
GIVEN_TEST = b"""
import unittest

from calc import add

def test_adds():
    assert add(1, 2) == 3

class TestNegative(unittest.TestCase):
    def test_adds_negative(self):
        self.assertEqual(add(-1, -2), -3)
"""
ADDS = "test_calc.py::test_adds"
ADDS_NEGATIVE = "test_calc.py::TestNegative::test_adds_negative"
HOOKS_THAT_PASS_ALL = b"""
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome = "passed"
    call.excinfo = None
    return report
"""


@pytest.fixture(scope="module", params=[Bubblewrap, Landlock])
def each_sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Every sandbox that starts on this machine."""
    sandbox: Sandbox = request.param()
    obstacle = sandbox.find_obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The first sandbox that starts on this machine."""
    obstacles = []
    for sandbox in (Bubblewrap(), Landlock()):
        obstacle = sandbox.find_obstacle()
        if obstacle is None:
            yield sandbox
            sandbox.close()
            return
        obstacles.append(obstacle)
    pytest.skip("; ".join(obstacles))


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Box]:
    box = sandbox.open_box(Limits(), readable=[Path(sys.prefix)])
    yield box
    box.close()


def judge(
    box: Box,
    answer: bytes,
    *,
    given: Mapping[str, bytes] | None = None,
    beside: Mapping[str, bytes] | None = None,
    timeout_s: float | None = 10,
) -> PytestResult:
    box.write_files({"calc.py": answer, **(beside or {})})
    return run_given_tests(
        box,
        {"test_calc.py": GIVEN_TEST} if given is None else given,
        python=sys.executable,
        timeout_s=timeout_s,
    )


class TestVerdict:
    """What the result of an honest run tells."""

    def test_right_answer_passes(self, box: Box) -> None:
        result = judge(box, HONEST_ANSWER)
        assert result.tests == {ADDS: "passed", ADDS_NEGATIVE: "passed"}, result.stdout
        assert (result.passed, result.failed, result.errors, result.total) == (2, 0, 0, 2)
        assert result.returncode == 0
        assert result.argv == ("pytest", "test_calc.py")
        assert result.stderr == ""
        assert "2 passed" in result.stdout

    def test_wrong_answer_fails(self, box: Box) -> None:
        result = judge(box, WRONG_ANSWER)
        assert result.tests == {ADDS: "failed", ADDS_NEGATIVE: "failed"}
        assert result.returncode == 1
        assert "assert None == 3" in result.stdout

    def test_each_outcome_is_told_apart(self, box: Box) -> None:
        given = b"""
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2
def test_raises(): 1 / 0
def test_is_skipped(): pytest.skip("not today")
@pytest.mark.skip
def test_is_marked_skip(): pass
@pytest.mark.xfail
def test_is_expected_to_fail(): assert 1 == 2
@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly(): pass
@pytest.fixture
def broken(): raise ValueError
def test_fixture_fails(broken): pass
@pytest.fixture
def leaves_a_mess():
    yield
    raise ValueError
def test_teardown_fails(leaves_a_mess): pass
def test_subtest_fails(subtests):
    with subtests.test("a"): assert 1 == 2
    with subtests.test("b"): pass
@pytest.mark.parametrize("n", [1, 2])
def test_parametrized(n): assert n == 1
"""
        result = judge(box, HONEST_ANSWER, given={"test_outcomes.py": given})
        names = {name.partition("::")[2]: outcome for name, outcome in result.tests.items()}
        assert names == {
            "test_passes": "passed",
            "test_fails": "failed",
            "test_raises": "failed",
            "test_is_skipped": "skipped",
            "test_is_marked_skip": "skipped",
            "test_is_expected_to_fail": "skipped",
            "test_passes_unexpectedly": "failed",
            "test_fixture_fails": "error",
            "test_teardown_fails": "error",
            "test_subtest_fails": "failed",
            "test_parametrized[1]": "passed",
            "test_parametrized[2]": "failed",
        }
        assert (result.passed, result.failed, result.errors, result.total) == (2, 5, 2, 12)

    def test_given_conftest_helpers_and_data_are_used(self, box: Box) -> None:
        given = {
            "checks/conftest.py": b"import pytest\n@pytest.fixture\ndef three(): return 3\n",
            "checks/helpers.py": b"def same(a, b): assert a == b\n",
            "checks/data.txt": b"1 2",
            "checks/test_calc.py": b"""
from pathlib import Path
from calc import add
from helpers import same

def test_adds(three):
    a, b = Path(__file__).with_name("data.txt").read_text().split()
    same(add(int(a), int(b)), three)
""",
        }
        result = judge(box, HONEST_ANSWER, given=given)
        assert result.tests == {"checks/test_calc.py::test_adds": "passed"}, result.stdout

    def test_tests_may_start_the_answer_as_a_program(self, box: Box) -> None:
        given = b"""
import subprocess
import sys

def test_prints():
    done = subprocess.run([sys.executable, "calc.py"], capture_output=True, text=True)
    assert done.stdout == "42\\n", done.stderr
"""
        result = judge(box, b"print(6 * 7)", given={"test_program.py": given})
        assert result.passed == result.total == 1, result.stdout

    def test_answer_is_found_though_its_names_shape_the_tests(self, box: Box) -> None:
        """The expected tests are known from stand-ins for what the tests take from the answer."""
        answer = b"class Base: pass\nclass Circle(Base): pass\nclass TooBig(ValueError): pass\n"
        given = b"""
import pytest
import calc
from calc import Circle, TooBig

class Fake(calc.Base): pass

@pytest.mark.parametrize("shape", [Circle, Fake])
def test_shape(shape): assert issubclass(shape, calc.Base)

@pytest.mark.parametrize("error", [TooBig])
def test_error(error): assert issubclass(error, ValueError)
"""
        result = judge(box, answer, given={"test_shapes.py": given})
        assert result.tests == {
            "test_shapes.py::test_shape[Circle]": "passed",
            "test_shapes.py::test_shape[Fake]": "passed",
            "test_shapes.py::test_error[TooBig]": "passed",
        }, result.stdout

    def test_fixtures_of_pytest_work(self, box: Box) -> None:
        given = b"""
import pytest

tool = pytest.importorskip("calc")

def test_fixtures(tmp_path, capsys, monkeypatch, recwarn, caplog):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("builtins.input", lambda: "1")
    print(tool.add(int(input()), 2))
    assert capsys.readouterr().out == "3\\n"

def test_after(): assert tool.add(1, 1) == 2
"""
        result = judge(box, HONEST_ANSWER, given={"test_fixtures.py": given})
        assert set(result.tests.values()) == {"passed"}, result.stdout
        assert result.total == 2

    def test_missing_module_makes_every_test_an_error(self, box: Box) -> None:
        result = judge(box, b"", given={"test_other.py": b"import other\ndef test_it(): pass\n"})
        assert result.tests == {"test_other.py::test_it": "error"}
        assert result.stderr == (
            "test_other.py::test_it: it did not report; the run ended with exit code 1"
        )
        assert "No module named 'other'" in result.stdout

    def test_hang_ends_at_the_time_limit(self, box: Box) -> None:
        answer = b"import time\ndef add(a, b): time.sleep(60)\n"
        result = judge(box, answer, timeout_s=5)
        assert result.timed_out
        assert result.limit == "time: 5 s"
        assert result.tests == {ADDS: "error", ADDS_NEGATIVE: "error"}
        assert result.stderr.splitlines() == [
            f"{name}: it did not report; the run met its limit of time: 5 s"
            for name in (ADDS, ADDS_NEGATIVE)
        ]

    def test_what_was_reported_before_a_crash_counts(self, box: Box) -> None:
        answer = b"import os\ndef add(a, b):\n    return 3 if a == 1 else os._exit(0)\n"
        result = judge(box, answer)
        assert result.tests == {ADDS: "passed", ADDS_NEGATIVE: "error"}
        assert result.stderr == (
            f"{ADDS_NEGATIVE}: it did not report; the run ended with exit code 1"
        )

    def test_a_later_answer_is_judged_anew(self, box: Box) -> None:
        """The same box can be asked again; the given files are laid anew."""
        assert judge(box, WRONG_ANSWER).passed == 0
        assert judge(box, HONEST_ANSWER).passed == 2


class TestEverySandbox:
    """The runner works wherever the answer's programs do."""

    @pytest.fixture
    def box(self, each_sandbox: Sandbox) -> Iterator[Box]:
        box = each_sandbox.open_box(Limits(), readable=[Path(sys.prefix)])
        yield box
        box.close()

    def test_right_answer_passes(self, box: Box) -> None:
        result = judge(box, HONEST_ANSWER)
        assert result.tests == {ADDS: "passed", ADDS_NEGATIVE: "passed"}, result.stdout

    def test_wrong_answer_fails(self, box: Box) -> None:
        result = judge(box, WRONG_ANSWER)
        assert result.tests == {ADDS: "failed", ADDS_NEGATIVE: "failed"}, result.stdout

    def test_the_judge_cannot_be_written_through(self, box: Box) -> None:
        """Its descriptors and memory are closed to the answer, which runs as the same user."""
        answer = b"""
import os
def add(a, b):
    for name in ("fd", "mem", "environ", "maps"):
        try:
            path = f"/proc/{os.getppid()}/{name}"
            os.listdir(path) if name == "fd" else open(path, "rb").read(1)
            print(name, "is open")
        except OSError as error:
            print(name, "is closed")
"""
        result = judge(box, answer)
        assert result.passed == 0
        assert "is open" not in result.stdout
        assert "fd is closed\nmem is closed\nenviron is closed\nmaps is closed" in result.stdout


class TestSuiteAtFault:
    """Given tests that cannot work are the suite's fault, not the answer's."""

    def test_given_tests_that_do_not_parse(self, box: Box) -> None:
        with pytest.raises(GivenTestsError, match=r"not collectable without the answer: test_x.py"):
            judge(box, HONEST_ANSWER, given={"test_x.py": b"def test_it(:\n"})

    def test_given_files_without_a_test(self, box: Box) -> None:
        with pytest.raises(GivenTestsError, match="no tests were found"):
            judge(box, HONEST_ANSWER, given={"test_x.py": b"def helper(): pass\n"})

    def test_no_python_file(self, box: Box) -> None:
        with pytest.raises(GivenTestsError, match="no Python file among them"):
            judge(box, HONEST_ANSWER, given={"data.txt": b""})

    @pytest.mark.parametrize(
        "path", ["/etc/test_x.py", "../test_x.py", "a/../test_x.py", "a//t.py"]
    )
    def test_path_that_leads_outside(self, box: Box, path: str) -> None:
        with pytest.raises(GivenTestsError, match="is no path inside the workspace"):
            judge(box, HONEST_ANSWER, given={path: b"def test_it(): pass\n"})

    def test_interpreter_without_pytest(self, box: Box) -> None:
        with pytest.raises(SandboxError, match="No module named 'pytest'"):
            run_given_tests(box, {"test_x.py": GIVEN_TEST}, python="/usr/bin/python3")


# Each ends, patches, shadows or forges; its `add` is as wrong as WRONG_ANSWER's.
DISHONEST_ANSWERS: dict[str, bytes] = {
    "exits at import": b"import os; os._exit(0)",
    "leaves at import": b"raise SystemExit(0)",
    "leaves through pytest at import": b"import pytest; pytest.exit('done', returncode=0)",
    "skips its module": b"import pytest; pytest.skip('no', allow_module_level=True)",
    "exits in a test": b"import os\ndef add(a, b): os._exit(0)",
    "skips in a test": b"import pytest\ndef add(a, b): pytest.skip('no')",
    "expects to fail in a test": b"import pytest\ndef add(a, b): pytest.xfail('no')",
    "exits at exit": b"import atexit, os; atexit.register(os._exit, 0)",
    "prints a report": b"""
print("=== 2 passed in 0.01s ===")
print('{"seal": 1} ["outcome", ["%(adds)s", "passed", ""]]')
""",
    "writes reports to every descriptor": b"""
import json, os
for name in ("%(adds)s", "%(adds_negative)s"):
    for line in (json.dumps(["", name, "passed", ""]), json.dumps([name, "passed", ""])):
        for descriptor in range(64):
            try:
                os.write(descriptor, line.encode() + b"\\n")
            except OSError:
                pass
""",
    "writes to its parent's descriptors": b"""
import os
for descriptor in range(64):
    try:
        with open(f"/proc/{os.getppid()}/fd/{descriptor}", "w") as file:
            file.write('["outcome", ["%(adds)s", "passed", ""]]\\n')
    except OSError:
        pass
""",
    "kills its parent": b"import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "goes on in a child": b"import os\nif os.fork(): os._exit(0)",
    "replaces itself": b"import os; os.execv('/bin/sh', ['sh', '-c', 'echo 2 passed'])",
    "patches the call": b"""
import pytest
def from_call(func, when, reraise=None):
    return pytest.CallInfo(None, None, start=0, stop=0, duration=0, when=when, _ispytest=True)
pytest.CallInfo.from_call = from_call
""",
    "patches the report": b"""
import pytest
real = pytest.TestReport.from_item_and_call
def from_item_and_call(item, call):
    call.excinfo = None
    return real(item, call)
pytest.TestReport.from_item_and_call = from_item_and_call
""",
    "patches the code of a function": b"""
import _pytest.python
_pytest.python.Function.runtest.__code__ = (lambda self: None).__code__
""",
    "patches unittest": b"""
import unittest
unittest.TestCase.assertEqual = lambda *a: None
class Same:
    def __eq__(self, other): return False
""",
    "registers a plugin": b"""
import gc, pytest
class Plugin:
    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem): return True
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item): item.runtest = lambda: None
import sys
frame = sys._getframe()
while frame:
    for value in list(frame.f_locals.values()):
        if isinstance(value, pytest.Config):
            config = value
    frame = frame.f_back
config.pluginmanager.register(Plugin())
""",
    "rewrites the given tests": b"""
from pathlib import Path
for path in Path.cwd().rglob("test_*.py"):
    path.write_text("def test_adds(): 0\\nclass TestNegative:\\n def test_adds_negative(self): 0")
""",
}
PRESENTS: dict[str, Mapping[str, bytes]] = {
    "what pytest and Python read by themselves": {
        "conftest.py": HOOKS_THAT_PASS_ALL,
        "pytest.ini": b"[pytest]\naddopts = --collect-only\n",
        "pyproject.toml": b'[tool.pytest.ini_options]\naddopts = "--collect-only"\n',
        "tox.ini": b"[pytest]\naddopts = --collect-only\n",
        "setup.cfg": b"[tool:pytest]\naddopts = --collect-only\n",
        "sitecustomize.py": b"import os; os._exit(0)",
        "usercustomize.py": b"import os; os._exit(0)",
    },
    "modules with the names of others": {
        "pytest.py": b"import os; print('2 passed'); os._exit(0)",
        "_pytest/__init__.py": b"import os; os._exit(0)",
        "pluggy.py": b"import os; os._exit(0)",
        "unittest.py": b"class TestCase:\n    def assertEqual(self, *a): pass\n",
        "os.py": b"",
    },
    "a package in place of the tests": {"test_calc/__init__.py": b"def test_adds(): pass\n"},
    "a folder in place of the tests": {"test_calc.py/data": b""},
}
OBSTACLES = {
    "a deep folder in place of the tests": """
import os
os.mkdir("test_calc.py")
os.chdir("test_calc.py")
for _ in range(300):
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
""",
    "a locked workspace": "import os; os.chmod('.', 0o500)",
    "a link in place of the tests": "import os; os.symlink('/etc/passwd', 'test_calc.py')",
    "a pipe in place of a conftest": "import os; os.mkfifo('conftest.py')",
}
UNFILLED = b"\ndef add(a, b): return None\n"


class TestKnownLimits:
    """What the given tests cannot see, because they ask the answer."""

    def test_value_that_equals_everything_passes(self, box: Box) -> None:
        answer = b"""
class Same:
    def __eq__(self, other): return True
def add(a, b): return Same()
"""
        given = b"from calc import add\ndef test_adds(): assert add(1, 2) == 3\n"
        assert judge(box, answer, given={"test_calc.py": given}).passed == 1


class TestDishonestAnswers:
    """No trick turns a wrong answer into a pass, or takes a test out of the total."""

    @pytest.mark.parametrize("trick", DISHONEST_ANSWERS)
    def test_code(self, box: Box, trick: str) -> None:
        code = DISHONEST_ANSWERS[trick]
        for key, name in (("adds", ADDS), ("adds_negative", ADDS_NEGATIVE)):
            code = code.replace(f"%({key})s".encode(), name.encode())
        answer = code if b"def add" in code else code + UNFILLED
        result = judge(box, answer)
        assert result.passed == 0, (result.tests, result.stdout, result.stderr)
        assert set(result.tests) == {ADDS, ADDS_NEGATIVE}
        assert result.returncode != 0

    def test_planted_bytecode_is_not_read(self, box: Box) -> None:
        """A given helper is compiled from what the suite gave, whatever lies in __pycache__."""
        plant = """
import importlib.util, marshal, pathlib
cache = pathlib.Path(importlib.util.cache_from_source("helpers.py"))
cache.parent.mkdir(exist_ok=True)
code = compile("def check(value): pass", "helpers.py", "exec")
unchecked = (1).to_bytes(4, "little")
cache.write_bytes(importlib.util.MAGIC_NUMBER + unchecked + bytes(8) + marshal.dumps(code))
"""
        given = {
            "helpers.py": b"def check(value): assert value == 3\n",
            "test_calc.py": b"""
import calc, helpers
def test_adds(): helpers.check(calc.add(1, 2))
""",
        }
        box.run([sys.executable, "-c", plant])
        assert "__pycache__" in " ".join(box.list_files())
        assert judge(box, WRONG_ANSWER, given=given).tests == {ADDS: "failed"}

    def test_answer_that_a_given_conftest_imports_first(self, box: Box) -> None:
        """Its changes to pytest are noticed, though no test file was imported before."""
        given = {"conftest.py": b"import calc\n", "test_calc.py": GIVEN_TEST}
        answer = DISHONEST_ANSWERS["patches the report"] + UNFILLED
        assert set(judge(box, answer, given=given).tests.values()) == {"error"}
        assert set(judge(box, HONEST_ANSWER, given=given).tests.values()) == {"passed"}

    @pytest.mark.parametrize("obstacle", OBSTACLES)
    def test_what_a_program_left_before_is_no_obstacle(self, box: Box, obstacle: str) -> None:
        """The tests are laid where they belong, whatever stands there."""
        box.write_files({"calc.py": HONEST_ANSWER})
        assert box.run([sys.executable, "-c", OBSTACLES[obstacle]]).returncode == 0
        result = run_given_tests(box, {"test_calc.py": GIVEN_TEST}, python=sys.executable)
        assert result.tests == {ADDS: "passed", ADDS_NEGATIVE: "passed"}, result.stdout

    def test_full_disk_makes_every_test_an_error(self, sandbox: Sandbox) -> None:
        """It is the answer's fault, and not the suite's, that there is no room."""
        box = sandbox.open_box(Limits(disk_bytes=2 * MIB), readable=[Path(sys.prefix)])
        fill = """
import os, pathlib, tempfile
for folder in (".", pathlib.Path.home(), tempfile.gettempdir()):
    with open(pathlib.Path(folder, "full"), "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096): pass
        except OSError:
            pass
"""
        try:
            box.write_files({"calc.py": HONEST_ANSWER})
            box.run([sys.executable, "-c", fill])
            result = run_given_tests(box, {"test_calc.py": GIVEN_TEST}, python=sys.executable)
        finally:
            box.close()
        assert result.tests == {ADDS: "error", ADDS_NEGATIVE: "error"}
        assert "there is no room for it" in result.stderr

    @pytest.mark.parametrize("present", PRESENTS)
    def test_files_for_pytest_are_ignored(self, box: Box, present: str) -> None:
        """They change nothing: a wrong answer fails."""
        result = judge(box, WRONG_ANSWER, beside=PRESENTS[present])
        assert result.tests == {ADDS: "failed", ADDS_NEGATIVE: "failed"}, result.stdout

    @pytest.mark.parametrize("present", PRESENTS)
    def test_files_for_pytest_do_no_harm(self, box: Box, present: str) -> None:
        """They change nothing: a right answer passes."""
        result = judge(box, HONEST_ANSWER, beside=PRESENTS[present])
        assert result.tests == {ADDS: "passed", ADDS_NEGATIVE: "passed"}, result.stdout
