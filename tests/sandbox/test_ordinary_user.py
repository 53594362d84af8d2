"""As root: the same once more, by a user without rights."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ORDINARY_USER = 61_000
AGAIN = [
    "test_bubblewrap.py",
    "test_cleanup.py",
    "test_honest_programs.py",
    "test_landlock.py",
    "test_limits.py",
    "test_results.py",
    "test_workspace.py",
]
HERE = Path(__file__).parent


def run_as_ordinary_user(command: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    """Run with nothing of this user's but the packages."""
    packages = Path(pytest.__file__).parents[1]
    return subprocess.run(
        command,
        cwd=HERE.parents[1],
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(home),
            "PYTHONPATH": f"{HERE.parents[1]}:{packages}",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        user=ORDINARY_USER,
        group=ORDINARY_USER,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )


def find_interpreter(home: Path) -> str:
    """One of this version that an ordinary user may start; skips where there is none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    show = "import pytest, sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in (
        sys.executable,
        f"/usr/bin/python{version}",
        f"/usr/local/bin/python{version}",
    ):
        try:
            shown = run_as_ordinary_user([candidate, "-c", show], home).stdout
        except OSError:
            continue
        if shown == f"{version}\n":
            return candidate
    pytest.skip("no interpreter of this version, with pytest, is open to an ordinary user")


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests have run as an ordinary user already")
@pytest.mark.parametrize("name", AGAIN)
def test_again_as_ordinary_user(name: str, tmp_path: Path) -> None:
    """None fails, and some pass."""
    interpreter = find_interpreter(tmp_path)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:llmbench"]
    done = run_as_ordinary_user([interpreter, "-m", "pytest", str(HERE / name), *options], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)
