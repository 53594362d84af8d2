"""The program that runs given tests inside a box; see `given_tests`, which sends it there.

It runs as `python -I -c <this text>`, imports nothing of this package, and is three processes:

- the judge, which reads the order from stdin and alone writes to stdout;
- a collector, forked before the answer is ever read, that lists the expected tests;
- a tester, forked last, in which pytest, the given tests and the answer meet.

Order on stdin: the length of a JSON object in a line, the object, and the seal. The judge reads
the seal, which opens each of its lines, when its children no longer share its memory.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import ctypes
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import secrets
import select
import shutil
import stat
import sys
import tempfile
import types
import unittest  # noqa: F401 - loaded before the answer, so that its changes to it show
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import pytest

TRUSTED_PACKAGES = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")
WATCHED_PACKAGES = ("pytest", "_pytest", "pluggy", "unittest", "builtins")
PHASES = ("setup", "call", "teardown")
Phase: TypeAlias = tuple[str, bool]
GOOD: Phase = ("passed", True)
OUTCOMES = ("passed", "failed", "error", "skipped")
LONGEST_LINE_BYTES = 16 * 1024
POLL_S = 0.05
PR_SET_DUMPABLE = 4


def main() -> int:
    """Judge: lay the tests, list the expected ones, run them, pass on what was reported."""
    forbid_inspection()
    order = read_order()
    files = {path: base64.b64decode(text) for path, text in order["files"].items()}
    try:
        private = Path(tempfile.mkdtemp(prefix="given-tests-"))
        expected, fault = prepare(private, files, order["tests"])
    except OSError as error:  # what programs left there before leaves no room
        say(read_seal(), "blocked", str(error))
        return 1
    try:
        if fault is not None:
            say(read_seal(), "fault", fault)
            return 1
        return judge(expected, files, order["tests"], private)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def prepare(
    private: Path, files: Mapping[str, bytes], tests: Sequence[str]
) -> tuple[list[str], str | None]:
    """Collect the given tests by themselves, then lay them over the answer."""
    clean = private / "clean"
    clean.mkdir()
    lay(clean, files)
    (private / "pytest.ini").write_text("[pytest]\n", "utf-8")
    expected, fault = collect_apart(clean, files, tests, private)
    shutil.rmtree(clean)
    lay(Path.cwd(), files)
    for path in unwanted_conftests(Path.cwd(), files):
        move_aside(path)
    return expected, fault


def forbid_inspection() -> None:
    """Close this process and its forks to ptrace, /proc/…/fd and /proc/…/mem of the same user."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def read_order() -> dict[str, Any]:
    """Read the order, and not one byte more: the seal stays in the pipe."""
    digits = b""
    while not digits.endswith(b"\n"):
        digits += os.read(0, 1)
    missing = int(digits)
    parts = []
    while missing:
        part = os.read(0, missing)
        if not part:
            raise EOFError("the order on stdin is incomplete")
        parts.append(part)
        missing -= len(part)
    order: dict[str, Any] = json.loads(b"".join(parts))
    return order


def read_seal() -> str:
    """Read the seal: all that is left on stdin."""
    parts = []
    while part := os.read(0, 4096):
        parts.append(part)
    return b"".join(parts).decode()


# The files


def lay(root: Path, files: Mapping[str, bytes]) -> None:
    """Put the given files below `root`; whatever stands in their way is moved aside."""
    for path, content in files.items():
        folder = root
        for name in Path(path).parts[:-1]:
            folder.chmod(0o700)
            folder = folder / name
            if not is_folder(folder):
                move_aside(folder)
                folder.mkdir()
        folder.chmod(0o700)
        target = folder / Path(path).name
        move_aside(target)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


def is_folder(path: Path) -> bool:
    """Whether a folder stands there; a link to one is none."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def move_aside(path: Path) -> None:
    """Remove what stands there; a folder, which may be hard to remove, gets another name."""
    if is_folder(path):
        path.rename(path.with_name(f".{secrets.token_hex(8)}"))
    else:
        path.unlink(missing_ok=True)


def unwanted_conftests(root: Path, files: Mapping[str, bytes]) -> list[Path]:
    """The answer's conftest.py files in the folders from the root down to the given files."""
    folders = {folder for path in files for folder in Path(path).parents}
    return [
        root / folder / "conftest.py"
        for folder in sorted(folders)
        if str(folder / "conftest.py") not in files
    ]


# The judge


def collect_apart(
    root: Path, files: Mapping[str, bytes], tests: Sequence[str], private: Path
) -> tuple[list[str], str | None]:
    """List the given tests in a process that never meets the answer: (their ids, what failed)."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        become_quiet()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.chdir(root)
        collector = Collector()
        make_importable(root, files)
        sys.meta_path.append(StandIns(imported_names(files)))
        code = pytest.main([*pytest_options(root, private), "--collect-only", *tests], [collector])
        text = json.dumps({"ids": collector.ids, "faults": collector.faults, "code": int(code)})
        with os.fdopen(write_end, "w", encoding="utf-8") as pipe:
            pipe.write(text)
        leave(0)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        return [], "the process that collected them ended early"
    found = json.loads(text)
    fault = "\n".join(found["faults"])
    if not fault and not found["ids"]:
        fault = f"no tests were found (pytest ended with {found['code']})"
    return found["ids"], fault or None


def judge(
    expected: Sequence[str], files: Mapping[str, bytes], tests: Sequence[str], private: Path
) -> int:
    """Run the tests in a tester and write down, sealed, what it reported."""
    reports, report_end = os.pipe()
    order_end, order = os.pipe()
    child = os.fork()
    if child == 0:
        for descriptor in (reports, order):
            os.close(descriptor)
        become_quiet()
        secret = os.read(order_end, 64).decode()  # sent when the judge has named what it expects
        os.close(order_end)
        run_tests(files, tests, private, reporter(report_end, secret))
    for descriptor in (report_end, order_end):
        os.close(descriptor)
    seal = read_seal()
    say(seal, "expected", list(expected))
    secret = secrets.token_hex(32)
    os.write(order, secret.encode())
    outcomes: dict[str, str] = {}
    for name, outcome, reason in reported(reports, child, secret):
        if name not in expected or outcome not in OUTCOMES:
            continue
        once = name not in outcomes
        outcomes[name] = outcome if once else "error"
        say(seal, "outcome", [name, outcomes[name], reason if once else "it was reported twice"])
    return 0 if all(outcomes.get(name) == "passed" for name in expected) else 1


def say(seal: str, kind: str, value: object) -> None:
    """Write one sealed line to the host."""
    sys.stdout.write(f"{seal} {json.dumps([kind, value])}\n")
    sys.stdout.flush()


def reported(pipe: int, child: int, secret: str) -> Iterator[tuple[str, str, str]]:
    """What the tester writes with its secret, until it ends; all else on the pipe is dropped."""
    os.set_blocking(pipe, False)
    pending = b""
    running = True
    while True:
        select.select([pipe], [], [], POLL_S if running else 0)
        try:
            part = os.read(pipe, 65536)
        except BlockingIOError:
            if not running:
                return
            running = os.waitpid(child, os.WNOHANG) == (0, 0)
            continue
        if not part:
            if running:
                os.waitpid(child, 0)
            return
        *lines, pending = (pending + part).split(b"\n")
        pending = pending[-LONGEST_LINE_BYTES:]
        for line in lines:
            report = read_report(line, secret)
            if report is not None:
                yield report


def read_report(line: bytes, secret: str) -> tuple[str, str, str] | None:
    """Parse (test, outcome, reason); None for a line without the secret."""
    try:
        given_secret, name, outcome, reason = json.loads(line)
    except (ValueError, TypeError, RecursionError):
        return None
    if given_secret != secret:
        return None
    return str(name), str(outcome), str(reason)


# The tester


def become_quiet() -> None:
    """Give up the judge's stdin and stdout: all that is written from here on goes to stderr."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)


def leave(code: int) -> NoReturn:
    """End a fork without what the judge had set up to happen at its own end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def pytest_options(root: Path, private: Path) -> list[str]:
    """Options with which pytest reads no ini file, no environment, no plugin of third parties."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    return [
        *("-c", str(private / "pytest.ini"), f"--rootdir={root}", f"--confcutdir={root}"),
        *("-p", "no:cacheprovider", "--color=no", "--tb=short"),
    ]


def run_tests(
    files: Mapping[str, bytes],
    tests: Sequence[str],
    private: Path,
    report: Callable[[str, str, str], None],
) -> NoReturn:
    """Run the given tests over the answer."""
    sys.argv = ["pytest"]
    sys.dont_write_bytecode = True
    sys.pycache_prefix = os.devnull  # no folder: bytecode that the answer has planted is not read
    root = Path.cwd()
    options = [*pytest_options(root, private), *tests]
    make_importable(root, files)
    leave(pytest.main(options, [Reporter(report, root, files)]))


def reporter(pipe: int, secret: str) -> Callable[[str, str, str], None]:
    """The one means to report, with its own hold on what it calls."""
    write, dump = os.write, json.dumps

    def report(name: str, outcome: str, reason: str) -> None:
        write(pipe, (dump([secret, name, outcome, reason[:1000]]) + "\n").encode())

    return report


class Collector:
    """A plugin that keeps the ids of what pytest collects, and why something was not."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.faults: list[str] = []

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Keep the ids."""
        self.ids.extend(item.nodeid for item in items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep why a file could not be collected."""
        if report.failed:
            self.faults.append(f"{report.nodeid}: {report.longreprtext}")


class Reporter:
    """A plugin that reports each test when it is over.

    Before each report, a test that must fail goes the way of the real one, and the functions of
    pytest are compared with what they were before the answer was first read. The given modules
    are compared with what the suite gave before each is imported, and after.
    """

    def __init__(
        self, report: Callable[[str, str, str], None], root: Path, files: Mapping[str, bytes]
    ) -> None:
        self._report = report
        self._phases: dict[tuple[str, str], Phase] = {}
        self._machinery = Machinery()
        self._plugins: set[object] | None = None
        self._modules = {
            root / path: content for path, content in files.items() if path.endswith(".py")
        }
        self._change: str | None = None
        self._alert = False

    def pytest_load_initial_conftests(self) -> None:
        """Remember pytest as it is before the first conftest.py is imported."""
        self._machinery = Machinery()

    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        """Look at everything before the next test file is imported."""
        if self._plugins is None:
            self._plugins = collector.config.pluginmanager.get_plugins()
        self._look_for_change(collector.config)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the outcome of a phase of a test."""
        report = yield
        phase = item.nodeid, str(report.when)
        if self._phases.get(phase, GOOD)[0] != "failed":  # as by one of its subtests
            self._phases[phase] = (report.outcome, call.excinfo is None)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """See whether failures are still noticed."""
        self._alert = notices_failure(item)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Report a test when all its phases are over."""
        self._alert = False
        result = yield
        self._look_for_change(item.config)
        if not self._alert:
            self._change = self._change or "the outcome of tests"
        if self._change is not None:
            self._report(item.nodeid, "error", f"the answer changed {self._change}")
        else:
            phases = [self._phases.get((item.nodeid, each)) for each in PHASES]
            self._report(item.nodeid, outcome_of(*phases), "")
        return result

    def _look_for_change(self, config: pytest.Config) -> None:
        for path, content in self._modules.items():
            if not holds(path, content):
                self._change = self._change or path.name
        if config.pluginmanager.get_plugins() != self._plugins:
            self._change = self._change or "the plugins"
        self._change = self._change or self._machinery.find_change()


def holds(path: Path, content: bytes) -> bool:
    """Whether the file is there with that content."""
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def outcome_of(setup: Phase | None, call: Phase | None, teardown: Phase | None) -> str:
    """The outcome of a test from its phases: what pytest says, and whether nothing was raised."""
    if setup is not None and setup[0] == "skipped":
        return "skipped"
    if setup != GOOD or teardown != GOOD or call is None:
        return "error"
    if call == GOOD:
        return "passed"
    return "skipped" if call[0] == "skipped" else "failed"


def notices_failure(item: pytest.Item) -> bool:
    """Whether a test beside `item`, which is set up, is seen to fail when it must."""
    module = item.getparent(pytest.Module)
    if module is None:
        return True

    def test_that_must_fail() -> None:
        assert len("ab") == 3  # noqa: S101, PLR2004 - it must fail as a test's assert would

    canary = pytest.Function.from_parent(
        module, name=f"test_{secrets.token_hex(4)}", callobj=test_that_must_fail
    )
    canary.stash = item.stash  # holds what plugins put there when `item` was set up
    call = pytest.CallInfo.from_call(
        lambda: canary.ihook.pytest_runtest_call(item=canary), when="call"
    )
    report = canary.ihook.pytest_runtest_makereport(item=canary, call=call)
    noticed = call.excinfo is not None and call.excinfo.errisinstance(AssertionError)
    return noticed and not report.passed


class Machinery:
    """The functions and classes that decide about tests, and the code behind each."""

    def __init__(self) -> None:
        self._names: list[tuple[str, Mapping[str, object], str, object]] = []
        self._codes: list[tuple[str, Any, types.CodeType]] = []
        seen: set[int] = set()
        for name, module in list(sys.modules.items()):
            if is_watched(name):
                self._add(name, vars(module), seen)

    def _add(self, owner: str, namespace: Mapping[str, object], seen: set[int]) -> None:
        for name, value in list(namespace.items()):
            if not callable(value) and not isinstance(value, (classmethod, property)):
                continue
            self._names.append((f"{owner}.{name}", namespace, name, value))
            if id(value) in seen:
                continue
            seen.add(id(value))
            function = getattr(value, "__func__", value)
            code = getattr(function, "__code__", None)
            if isinstance(code, types.CodeType):
                self._codes.append((f"{owner}.{name}", function, code))
            elif isinstance(value, type) and is_watched(value.__module__):
                self._add(f"{owner}.{name}", vars(value), seen)

    def find_change(self) -> str | None:
        """The name of a part that is no longer what it was; None when all are."""
        for name, namespace, key, value in self._names:
            if namespace.get(key) is not value:
                return name
        for name, function, code in self._codes:
            if function.__code__ is not code:
                return name
        return None


def is_watched(module: str) -> bool:
    """Whether a module has a say in the outcome of tests."""
    return module.partition(".")[0] in WATCHED_PACKAGES


# Imports


def make_importable(root: Path, files: Mapping[str, bytes]) -> None:
    """Let what lies below `root` be imported, by its rules; see `WorkspaceFinder`."""
    given = {root / path for path in files}
    trusted = frozenset((*sys.stdlib_module_names, *TRUSTED_PACKAGES))

    def find_in_workspace(entry: str) -> WorkspaceFinder:
        folder = Path(entry)
        if folder != root and root not in folder.parents:
            raise ImportError(entry)
        return WorkspaceFinder(folder, given, trusted)

    sys.path_hooks.insert(0, find_in_workspace)
    sys.path.insert(0, str(root))
    sys.path_importer_cache.clear()


class WorkspaceFinder(importlib.machinery.FileFinder):
    """Finds modules in a folder of the workspace.

    Python's and pytest's own modules are never taken from there, and a module that the suite
    gave is never taken from a file, package or library that the answer put beside it.
    """

    def __init__(self, folder: Path, given: set[Path], trusted: frozenset[str]) -> None:
        source = (importlib.machinery.SourceFileLoader, importlib.machinery.SOURCE_SUFFIXES)
        library = (
            importlib.machinery.ExtensionFileLoader,
            importlib.machinery.EXTENSION_SUFFIXES,
        )
        super().__init__(str(folder), library, source)
        self._folder = folder
        self._given = given
        self._trusted = trusted

    def find_spec(
        self, fullname: str, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module by the rules above."""
        top, _, rest = fullname.partition(".")
        if top in self._trusted:
            return None
        tail = fullname.rpartition(".")[2]
        for path in (self._folder / f"{tail}.py", self._folder / tail / "__init__.py"):
            if path in self._given:
                package = [str(path.parent)] if path.name == "__init__.py" else None
                return importlib.util.spec_from_file_location(
                    fullname, path, submodule_search_locations=package
                )
        if not rest and any(path.stem == top for path in self._given):
            return None
        return super().find_spec(fullname, target)


def imported_names(files: Mapping[str, bytes]) -> frozenset[str]:
    """The top-level modules that the given files import by name, other than Python's own."""
    names: set[str] = set()
    for path, content in files.items():
        if path.endswith(".py"):
            with contextlib.suppress(SyntaxError, ValueError):  # pytest will say it better
                names.update(imports_of(ast.parse(content)))
    return frozenset(name.partition(".")[0] for name in names) - sys.stdlib_module_names


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Every module named in an import, or as a text in a call such as `importorskip("name")`."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.Call(args=[ast.Constant(value=str(text)), *_]):
                yield text


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stand-ins for modules of certain names that are not there: those of the answer."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, _path: object, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module below one of the names."""
        if fullname.partition(".")[0] not in self._names:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        """Make a module that needs no execution."""
        return StandInModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Do nothing: a stand-in is complete."""


class StandInModule(types.ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandInType(name, (), {})


class StandInType(type):
    """A class that has every name, and whose calls and items are such classes again."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return StandInType(name, (), {})

    def __call__(cls, *_arguments: object, **_options: object) -> Any:
        """Stand in for what a call would give."""
        return StandInType(cls.__name__, (), {})

    def __getitem__(cls, _key: object) -> Any:
        return StandInType(cls.__name__, (), {})

    def __iter__(cls) -> Iterator[Any]:
        return iter(())


if __name__ == "__main__":
    raise SystemExit(main())
