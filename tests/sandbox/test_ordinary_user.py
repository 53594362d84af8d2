"""As root: the same once more, by a user without rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.testing.attacks import ATTACKS

ORDINARY_USER = 65_534
HERE = Path(__file__).parent
LEAST_PASSED = {
    "test_attacks.py": 2 * len(ATTACKS),  # the control, and one sandbox or more
    "test_bubblewrap.py": 1,
    "test_cleanup.py": 1,
    "test_honest_programs.py": 1,
    "test_landlock.py": 1,
    "test_limits.py": 1,
    "test_results.py": 1,
    "test_workspace.py": 1,
}
"""The files that are run again, and how many of their tests this user is able to pass at least."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="the tests have run as an ordinary user already"
)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """Nothing of this user's but the packages; a HOME and a runtime folder of the other's."""
    packages = Path(pytest.__file__).parents[1]
    places = {}
    for name, parent in (("HOME", "/var/tmp"), ("XDG_RUNTIME_DIR", "/run")):
        folder = Path(tempfile.mkdtemp(dir=parent, prefix="llmbench-user-"))
        os.chown(folder, ORDINARY_USER, ORDINARY_USER)
        places[name] = str(folder)
    yield {
        **places,
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{HERE.parents[1]}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    for place in places.values():
        shutil.rmtree(place)


def run_as_ordinary_user(
    command: list[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=HERE.parents[1],
        env=environment,
        user=ORDINARY_USER,
        group=ORDINARY_USER,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def interpreter(environment: dict[str, str]) -> str:
    """One of this version that an ordinary user may start; skips where there is none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    show = "import pytest, sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in (
        sys.executable,
        f"/usr/bin/python{version}",
        f"/usr/local/bin/python{version}",
    ):
        try:
            shown = run_as_ordinary_user([candidate, "-c", show], environment).stdout
        except OSError:
            continue
        if shown == f"{version}\n":
            return candidate
    pytest.skip("no interpreter of this version, with pytest, is open to an ordinary user")


@pytest.mark.parametrize("name", LEAST_PASSED)
def test_again_as_ordinary_user(name: str, interpreter: str, environment: dict[str, str]) -> None:
    """None fails, and enough pass."""
    command = [interpreter, "-m", "pytest", str(HERE / name), "-q", "-p", "no:cacheprovider"]
    done = run_as_ordinary_user(command, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= LEAST_PASSED[name], done.stdout
