"""The docker sandbox, against a docker command that is told what to say.

No daemon runs where these tests were written: what a real one makes of the command line,
`find_obstacle` finds out on the user's machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.docker import Docker
from pytest_llmbench.sandbox.environment import base_interpreter
from pytest_llmbench.sandbox.inside import server
from pytest_llmbench.sandbox.protocol import MIB, Limits, SandboxError

PACKAGE = Path(server.__file__).parent

# Notes its arguments, then runs the server that the container would run; of the folders that
# it was told it makes none, so only what needs none can be asked of such a box.
FAKE = """#!{python} -IS
import json, os, sys
with open({log!r}, "a") as log:
    log.write(json.dumps([sys.argv[1:], sorted(os.environ)]) + "\\n")
if sys.argv[1] == "run":
    {run}
"""
SERVE = """
    sys.path.insert(0, {parent!r})
    from inside import server
    server.serve_streams("group")
"""
NO_DAEMON = """
    sys.exit("docker: Cannot connect to the Docker daemon.")
"""


class FakeDocker:
    def __init__(self, folder: Path, run: str) -> None:
        self.program = folder / "docker"
        self._log = folder / "log"
        run = run.format(parent=str(PACKAGE.parent)).strip()
        text = FAKE.format(python=base_interpreter(), log=str(self._log), run=run)
        self.program.write_text(text)
        self.program.chmod(0o755)

    @property
    def calls(self) -> list[tuple[list[str], list[str]]]:
        """The arguments of each call, and the names in its environment."""
        return [tuple(json.loads(line)) for line in self._log.read_text().splitlines()]


@pytest.fixture
def fake(tmp_path: Path) -> FakeDocker:
    return FakeDocker(tmp_path, SERVE)


def value_of(arguments: list[str], option: str) -> list[str]:
    return [arguments[at + 1] for at, word in enumerate(arguments) if word == option]


def test_container_is_confined(fake: FakeDocker, tmp_path: Path) -> None:
    """Every protection stands on the command line, before the image."""
    limits = Limits(memory_bytes=256 * MIB, disk_bytes=32 * MIB, processes=20, files=100)
    Docker(str(fake.program), "python:test").open_box(limits, readable=[tmp_path]).close()
    arguments, _ = fake.calls[0]
    options = arguments[: arguments.index("python:test")]
    for switch in ("--rm", "--interactive", "--read-only"):
        assert switch in options
    expected = {
        "--network": ["none"],
        "--cap-drop": ["ALL"],
        "--security-opt": ["no-new-privileges"],
        "--user": ["65534:65534"],
        "--pull": ["never"],
        "--pids-limit": ["24"],
        "--memory": [str((256 + 3 * 32 + 128) * MIB)],
        "--memory-swap": [str((256 + 3 * 32 + 128) * MIB)],
        "--workdir": ["/work"],
        "--entrypoint": ["/usr/local/bin/python3"],
    }
    assert {option: value_of(options, option) for option in expected} == expected
    rights = "rw,exec,nosuid,nodev,mode=0700,uid=65534,gid=65534,size=33554432,nr_inodes=105"
    assert value_of(options, "--tmpfs") == [
        f"{folder}:{rights}" for folder in ("/work", "/home/user", "/tmp")
    ]
    assert value_of(options, "--mount") == [
        f"type=bind,source={PACKAGE},target=/run/llmbench/inside,readonly",
        f"type=bind,source={tmp_path},target={tmp_path},readonly",
    ]
    assert not {"--privileged", "--volume", "-v", "--env", "-e"} & set(options)


def test_container_is_removed(fake: FakeDocker) -> None:
    """Closing the box removes the container by the name that it was given, once."""
    box = Docker(str(fake.program)).open_box(Limits())
    box.close()
    box.close()
    (run, _), (remove, _) = fake.calls
    assert remove == ["rm", "--force", *value_of(run, "--name")]


def test_boxes_are_containers_of_their_own(fake: FakeDocker) -> None:
    sandbox = Docker(str(fake.program))
    first, second = sandbox.open_box(Limits()), sandbox.open_box(Limits())
    first.close()
    second.close()
    names = {value_of(arguments, "--name")[0] for arguments, _ in fake.calls[:2]}
    assert len(names) == 2


def test_keys_do_not_reach_the_docker_command(fake: FakeDocker) -> None:
    """Of the environment it gets what it needs to find its daemon."""
    Docker(str(fake.program)).open_box(Limits()).close()
    for _, names in fake.calls:
        known = {"PATH", "HOME", "XDG_RUNTIME_DIR", "LC_CTYPE"}
        assert [name for name in names if name not in known and "DOCKER_" not in name] == []


def test_image_has_the_version_of_the_tests(fake: FakeDocker) -> None:
    Docker(str(fake.program)).open_box(Limits()).close()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"python:{version}-slim" in fake.calls[0][0]


def test_no_daemon(tmp_path: Path) -> None:
    """What docker said, and what to do."""
    fake = FakeDocker(tmp_path, NO_DAEMON)
    assert Docker(str(fake.program), "python:test").find_obstacle() == (
        "the box broke: docker: Cannot connect to the Docker daemon.; "
        "is the daemon running, and the image there (docker pull python:test)?"
    )


def test_no_docker(tmp_path: Path) -> None:
    missing = tmp_path / "docker"
    with pytest.raises(SandboxError) as caught:
        Docker(str(missing)).open_box(Limits())
    assert str(caught.value) == f"cannot start {missing}: No such file or directory"


def test_interpreter_is_the_image_s() -> None:
    sandbox = Docker("docker")
    assert sandbox.python() == "/usr/local/bin/python3"
    with pytest.raises(SandboxError, match="a docker box has the image's libraries only"):
        sandbox.python(libraries=True)
