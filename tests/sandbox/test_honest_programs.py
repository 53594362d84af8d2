"""Programs that mean no harm, and notice no box."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from box_types import OpenBox, RunPython
from pytest_llmbench.sandbox.bubblewrap import Bubblewrap
from pytest_llmbench.sandbox.protocol import Limits, Sandbox


def test_database_in_the_folder_and_in_home(sandbox: Sandbox, open_box: OpenBox) -> None:
    """A database lasts from one command to the next, wherever the program keeps it."""
    box = open_box()
    code = """
import pathlib, sqlite3
for folder in (pathlib.Path.cwd(), pathlib.Path.home(), pathlib.Path("~").expanduser()):
    with sqlite3.connect(folder / ".todo.db") as database:
        database.execute("create table if not exists todo (id integer primary key, text)")
        database.execute("insert into todo (text) values ('milk')")
        print(database.execute("select count(*) from todo").fetchone()[0])
"""
    box.write_files({"todo.py": code.encode()})
    first = box.run([sandbox.python(), "todo.py"])
    second = box.run([sandbox.python(), "todo.py"])
    assert (first.stdout.split(), second.stdout.split()) == (["1", "1", "2"], ["2", "3", "4"])


HONEST = {
    "twenty threads": (
        """
import threading
barrier = threading.Barrier(20)
def meet():
    barrier.wait(5)
threads = [threading.Thread(target=meet) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print("met")
""",
        "met",
    ),
    "subprocess": (
        """
import subprocess, sys
print(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout, end="")
print(subprocess.check_output([sys.executable, "-c", "print('python')"], text=True), end="")
print(subprocess.check_output("python3 -c 'print(1 + 1)' | cat", shell=True, text=True), end="")
""",
        "child\npython\n2",
    ),
    "own children are ended": (
        """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
child.terminate()
print(child.wait(5))
""",
        "-15",
    ),
    "temporary files": (
        """
import tempfile, pathlib, os
with tempfile.NamedTemporaryFile("w+") as file, tempfile.TemporaryDirectory() as folder:
    file.write("x"); file.flush()
    pathlib.Path(folder, "y").write_text("y")
    print(os.stat(file.name).st_size, os.listdir(folder))
""",
        "1 ['y']",
    ),
    "who and where": (
        """
import getpass, os, pathlib, platform
print(getpass.getuser(), os.environ["HOME"] == str(pathlib.Path.home()), os.cpu_count() > 0)
""",
        "user True True",
    ),
    "text beyond ASCII": (
        """
import sys
print("\u2713 caf\u00e9 \u4f60\u597d", sys.stdout.encoding)
open("\u00fc.txt", "w").write("\u2713")
print(open("\u00fc.txt").read())
""",
        "\u2713 caf\u00e9 \u4f60\u597d utf-8\n\u2713",
    ),
    "files are copied and moved": (
        """
import os, pathlib, shutil
pathlib.Path("a").write_text("text")
shutil.copy2("a", "b")
os.makedirs("one/two")
os.rename("b", "one/two/b")
os.link("a", "one/hard")
os.symlink("a", "soft")
shutil.move("one", os.path.expanduser("~/one"))
pathlib.Path("a").touch()
pathlib.Path("new").touch()
shutil.rmtree(os.path.expanduser("~/one"))
print(sorted(os.listdir()))
""",
        "['a', 'new', 'program.py', 'soft']",
    ),
    "asyncio": (
        """
import asyncio, sys
async def main():
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "print('from below')", stdout=asyncio.subprocess.PIPE)
    print((await child.communicate())[0].decode().strip())
    await asyncio.sleep(0.01)
asyncio.run(main())
""",
        "from below",
    ),
    "thread pools": (
        """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(abs, range(-100, 0))))
""",
        "5050",
    ),
    "processes that share pipes": (
        """
import multiprocessing
def square(number, pipe):
    pipe.send(number * number)
if __name__ == "__main__":
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=square, args=(7, theirs))
    process.start()
    print(ours.recv())
    process.join()
""",
        "49",
    ),
    "random numbers and time": (
        """
import secrets, time, uuid
print(len(secrets.token_bytes(8)), time.tzname[0], len(str(uuid.uuid4())))
""",
        "8 UTC 36",
    ),
    "large allocations in turn": (
        """
for _ in range(8):  # more than a box has, one after the other
    held = bytearray(100 << 20)
    del held
print("done")
""",
        "done",
    ),
}


@pytest.mark.parametrize(("code", "expected"), HONEST.values(), ids=HONEST)
def test_honest_program(run_python: RunPython, code: str, expected: str) -> None:
    result = run_python(code)
    assert (result.stdout.strip(), result.returncode, result.limit) == (expected, 0, None), result


POOL = """
import multiprocessing
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(abs, range(-10, 0))))
"""


def test_multiprocessing_pool(sandbox: Sandbox, run_python: RunPython) -> None:
    """It runs, or the sandbox says beforehand that it cannot."""
    result = run_python(POOL)
    if any("multiprocessing" in restriction for restriction in sandbox.restrictions):
        assert "PermissionError" in result.stderr
    else:
        assert result.stdout == "55\n"


LOOPBACK = """
import threading, urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
server = HTTPServer(("127.0.0.1", 8000), Hello)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen("http://127.0.0.1:8000").read().decode())
server.shutdown()
"""


def test_server_and_client_on_loopback(sandbox: Sandbox, run_python: RunPython) -> None:
    """They talk on the box's own loopback, or the sandbox says beforehand that they cannot."""
    result = run_python(LOOPBACK)
    if any("no sockets" in restriction for restriction in sandbox.restrictions):
        assert "PermissionError" in result.stderr
    else:
        assert (result.stdout, result.returncode) == ("hello\n", 0), result


def test_same_port_in_two_boxes(sandbox: Sandbox, open_box: OpenBox) -> None:
    """Each box has a loopback of its own."""
    if not isinstance(sandbox, Bubblewrap):
        pytest.skip("only bubblewrap gives boxes a network")
    for box in (open_box(), open_box()):
        box.write_files({"web.py": LOOPBACK.encode()})
        assert box.run([sandbox.python(), "web.py"]).stdout == "hello\n"


def test_interpreter_is_that_of_the_tests_without_their_libraries(run_python: RunPython) -> None:
    """The same version of Python; what is installed for the tests is not to be imported."""
    code = """
import sys
try:
    import anthropic
except ModuleNotFoundError:
    print(*sys.version_info[:2])
"""
    if sys.prefix == sys.base_prefix:
        pytest.skip("without a virtual environment its libraries are the interpreter's own")
    result = run_python(code)
    assert result.stdout.split() == [str(part) for part in sys.version_info[:2]]


def test_libraries_of_the_environment_when_allowed(sandbox: Sandbox) -> None:
    """With the environment readable, its interpreter knows what is installed, and may not
    change it."""
    if sys.prefix == sys.base_prefix:
        pytest.skip("needs a virtual environment")
    box = sandbox.open_box(Limits(), readable=[Path(sys.prefix)])
    code = """
import os, subprocess, sys
import pluggy
print(sys.prefix, pluggy.__version__)
show = "import sys; print(sys.prefix)"
print(subprocess.check_output(["python3", "-c", show], text=True).strip())
try:
    open(os.path.join(sys.prefix, "written"), "w")
except OSError as error:
    print(type(error).__name__)
"""
    try:
        box.write_files({"program.py": code.encode()})
        result = box.run([sandbox.python(libraries=True), "program.py"])
    finally:
        box.close()
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{sys.prefix} "), result
    assert lines[1] == sys.prefix
    assert lines[2] in {"OSError", "PermissionError"}


def test_readable_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    """A folder that a task allows is at its own path, and cannot be changed."""
    shown = tmp_path / "shown"
    shown.mkdir()
    (shown / "data.txt").write_text("data")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith("pytest-"):
            folder.chmod(0o755)
    box = sandbox.open_box(Limits(), readable=[shown])
    try:
        result = box.run(["/bin/sh", "-c", f"cat {shown}/data.txt; echo no > {shown}/data.txt"])
    finally:
        box.close()
    assert result.stdout == "data"
    assert result.returncode != 0
    assert (shown / "data.txt").read_text() == "data"
