"""What is bubblewrap's own: its versions, its refusals, the root that it builds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.bubblewrap import Bubblewrap
from pytest_llmbench.sandbox.protocol import MIB, Box, Limits, SandboxError

BWRAP = shutil.which("bwrap")
OLD = """#!/bin/sh
for word in "$@"; do
    case "$word" in {refused}) echo "bwrap: Unknown option $word" >&2; exit 1;; esac
done
exec {bwrap} "$@"
"""


@pytest.fixture(scope="module")
def bubblewrap() -> Iterator[Bubblewrap]:
    """The installed one; skipped, with its own reason, where it cannot start."""
    sandbox = Bubblewrap()
    obstacle = sandbox.find_obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    yield sandbox
    sandbox.close()


@pytest.fixture
def box(bubblewrap: Bubblewrap) -> Iterator[Box]:
    opened = bubblewrap.open_box(Limits())
    yield opened
    opened.close()


def wrap(folder: Path, text: str) -> str:
    program = folder / "bwrap"
    program.write_text(text)
    program.chmod(0o755)
    return str(program)


def shell(box: Box, script: str) -> str:
    result = box.run(["/bin/sh", "-c", script])
    return result.stdout + result.stderr


@pytest.mark.usefixtures("bubblewrap")
@pytest.mark.parametrize(
    "refused", ["--disable-userns", "--disable-userns|--size"], ids=["before 0.8", "before 0.7"]
)
def test_older_versions(tmp_path: Path, refused: str) -> None:
    """Without their missing options they pass the same proof, and bound the disk."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    sandbox = Bubblewrap(wrap(tmp_path, OLD.format(refused=refused, bwrap=BWRAP)))
    try:
        assert sandbox.find_obstacle() is None
        opened = sandbox.open_box(Limits(disk_bytes=8 * MIB))
        result = opened.run(
            [sandbox.python(), "-c", "open('x', 'wb').write(bytes(20 << 20)); input()"],
            stdin=b"",
        )
        assert result.limit == "disk: 8 MiB" or "No space left" in result.stderr
    finally:
        sandbox.close()


def test_refused_namespaces(tmp_path: Path) -> None:
    """Bubblewrap's own words are passed on, with the remedy."""
    said = "bwrap: No permissions to create new namespace, likely because ..."
    program = wrap(tmp_path, f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    sandbox = Bubblewrap(program)
    obstacle = sandbox.find_obstacle()
    sandbox.close()
    assert obstacle == (
        f"the box broke: {said}; install it (apt install bubblewrap, dnf install bubblewrap); "
        "on Ubuntu 24.04 also allow it user namespaces: "
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    )
    with pytest.raises(SandboxError, match="No permissions to create new namespace"):
        sandbox.open_box(Limits())
    sandbox.close()


def test_wrapper_that_confines_nothing(tmp_path: Path) -> None:
    """A bwrap that runs the program as it is, with exit code 0, does not count as one."""
    program = wrap(tmp_path, '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n')
    sandbox = Bubblewrap(program)
    obstacle = sandbox.find_obstacle()
    sandbox.close()
    assert obstacle is not None


def test_stable_paths(box: Box) -> None:
    """Programs see the same paths in every box."""
    assert shell(box, 'pwd; echo "$HOME $TMPDIR"') == "/work\n/home/user /tmp\n"


def test_who_one_is(box: Box) -> None:
    """The user has a name, also for those who ask by number."""
    assert shell(box, "whoami; hostname; cut -d: -f1,6,7 /etc/passwd") == (
        "user\nsandbox\nuser:/home/user:/bin/sh\n"
    )


def test_root_is_minimal(box: Box) -> None:
    """There is what programs need to start, and nothing else of the machine's."""
    listed = set(shell(box, "ls /").split())
    interpreter = {
        Path(os.path.realpath(path)).parts[1] for path in (shutil.which("python3"),) if path
    }
    allowed = {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "proc", "run", "sbin"}
    allowed |= {"tmp", "usr", "work", "root", "opt"} | interpreter
    assert listed <= allowed
    assert shell(box, "ls /etc").split() == sorted(
        name
        for name in ("alternatives", "ld.so.cache", "localtime", "passwd")
        if name == "passwd" or Path("/etc", name).exists()
    )


@pytest.mark.parametrize("folder", ["/", "/dev", "/etc", "/usr", "/run", "/home"])
def test_only_own_folders_are_writable(box: Box, folder: str) -> None:
    assert "Read-only file system" in shell(box, f"touch {folder}/x") or (
        "Permission denied" in shell(box, f"touch {folder}/x")
    )


def test_sees_no_other_process(box: Box) -> None:
    """The server, the shell and what it started: nothing else."""
    script = "for folder in /proc/[0-9]*; do cat $folder/comm; done | sort -u"
    names = set(shell(box, script).split())
    assert "sh" in names
    assert len(names) <= 4


def test_server_is_out_of_reach(box: Box) -> None:
    """The process that reports the results cannot be read, written to or ended."""
    assert "Permission denied" in shell(box, "cat /proc/1/environ")
    assert "Permission denied" in shell(box, "echo > /proc/1/mem")
    assert shell(box, "kill -KILL 1; kill -STOP 1; kill -TERM 1") == ""
    assert shell(box, "echo alive") == "alive\n"


def test_no_capabilities(box: Box) -> None:
    """Not even as root outside."""
    lines = shell(box, "grep -E '^(Cap...|NoNewPrivs|Seccomp):' /proc/self/status").split("\n")
    values = dict(line.split(":\t") for line in lines if line)
    assert values["CapEff"] == values["CapPrm"] == values["CapAmb"] == "0" * 16
    assert (values["NoNewPrivs"], values["Seccomp"]) == ("1", "2")
