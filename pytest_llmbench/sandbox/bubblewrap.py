"""Bubblewrap: namespaces of the box's own, a minimal root, and a file system of a fixed size."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_llmbench.sandbox import seccomp
from pytest_llmbench.sandbox.box import ServedBox, encode_greeting
from pytest_llmbench.sandbox.environment import (
    USER,
    interpreter,
    interpreter_folders,
    interpreter_path,
)
from pytest_llmbench.sandbox.launching import INSIDE, LauncherClient, server_command
from pytest_llmbench.sandbox.protocol import MIB, Box, Limits, SandboxError
from pytest_llmbench.sandbox.selftest import find_leak

_WORK, _HOME, _TMP = "/work", f"/home/{USER}", "/tmp"  # noqa: S108 - the box's own
_SERVER_FOLDER = "/run/llmbench"
_PASSWD_FD, _SECCOMP_FD = 3, 4
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the box's own
_SHARED_MEMORY_BYTES = 64 * MIB
_INSIDE_UID = 1000
_FIRST_ROOT_UID = 2_000_000_000
_OWN_CAPABILITIES = ("CAP_SETUID", "CAP_SETGID", "CAP_CHOWN")
_REMEDY = (
    "install it (apt install bubblewrap, dnf install bubblewrap); on Ubuntu 24.04 also allow it "
    "user namespaces: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
)


@dataclass(frozen=True, slots=True)
class _Options:
    """What this version of bubblewrap, on this kernel, for this user, can be asked for."""

    user_namespace: bool
    """False as root, whose own rights suffice; the programs then get a user of their own."""
    forbid_namespaces: bool = True
    """`--disable-userns`, since 0.8.0."""
    sizes: bool = True
    """`--size`, since 0.7.0. Without it a watchdog bounds the disk afterwards."""


def _weaker_and_weaker() -> Iterator[_Options]:
    if os.geteuid() == 0:
        yield _Options(user_namespace=False)
        yield _Options(user_namespace=False, sizes=False)
    full = _Options(user_namespace=True)
    yield full
    yield replace(full, forbid_namespaces=False)
    yield replace(full, forbid_namespaces=False, sizes=False)


class Bubblewrap:
    """Each box is one bubblewrap, alive from the box's opening to its closing."""

    name = "bubblewrap"
    automatic = True
    restrictions: Sequence[str] = ("no network but the box's own loopback",)

    def __init__(self, program: str | None = None) -> None:
        self._program = program or shutil.which("bwrap")
        self._launcher = LauncherClient()
        self._options: _Options | None = None

    def find_obstacle(self) -> str | None:
        """See `Sandbox.find_obstacle`."""
        if platform.system() != "Linux":
            return "bubblewrap needs Linux"
        if self._program is None:
            return f"there is no bwrap; {_REMEDY}"
        missing = seccomp.find_missing_filter()
        if missing:
            return missing
        try:
            return find_leak(self)
        except SandboxError as error:
            return f"{error}; {_REMEDY}"

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """See `Sandbox.open_box`."""
        if self._program is None:
            raise SandboxError(f"there is no bwrap; {_REMEDY}")
        if self._options is not None:
            return self._open(self._options, limits, readable)
        first_error: SandboxError | None = None
        for options in _weaker_and_weaker():
            try:
                box = self._open(options, limits, readable)
            except SandboxError as error:
                first_error = first_error or error
                continue
            self._options = options
            return box
        raise first_error or SandboxError("bubblewrap was not tried")

    def python(self, *, libraries: bool = False) -> str:
        """See `Sandbox.python`."""
        return interpreter(libraries=libraries)

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._launcher.close()

    def _open(self, options: _Options, limits: Limits, readable: Sequence[Path]) -> Box:
        assert self._program is not None  # noqa: S101 - open_box has looked
        uid = _INSIDE_UID if options.user_namespace else _free_uid()
        command = [
            self._program,
            *_isolation(options),
            *_root(limits, options, [*interpreter_folders(), *readable]),
            "--seccomp",
            str(_SECCOMP_FD),
            "--",
            *server_command(
                interpreter(libraries=False), _SERVER_FOLDER, "server:serve_streams 'namespace'"
            ),
        ]
        passwd = f"{USER}:x:{uid}:{uid}::{_HOME}:/bin/sh\n".encode()
        given = [_full_pipe(passwd), _full_pipe(seccomp.namespaced_filter())]
        channel = self._launcher.execute(command, given)
        folders = (_WORK, _HOME, _TMP)
        user = 0 if options.user_namespace else uid
        greeting = encode_greeting(folders, limits, mounts=folders, folder="", uid=user)
        interpreters = interpreter_path(readable)
        return ServedBox(channel, limits, greeting=greeting, interpreters=interpreters)


def _free_uid() -> int:
    """A user that no machine has, told by chance from those of other boxes."""
    return _FIRST_ROOT_UID + int.from_bytes(os.urandom(3), "big")


def _isolation(options: _Options) -> list[str]:
    arguments = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    arguments += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--as-pid-1"]
    arguments += ["--hostname", "sandbox", "--cap-drop", "ALL"]
    if options.user_namespace:
        uid = str(_INSIDE_UID)
        arguments += ["--unshare-user", "--uid", uid, "--gid", uid]
        if options.forbid_namespaces:
            arguments.append("--disable-userns")
    else:
        for capability in _OWN_CAPABILITIES:
            arguments += ["--cap-add", capability]
    return arguments


def _root(limits: Limits, options: _Options, readable: Sequence[Path]) -> list[str]:
    """The whole file system of a box, read-only but for its own folders."""

    def temporary(path: str, size: int) -> list[str]:
        return [*(["--size", str(size)] if options.sizes else []), "--tmpfs", path]

    arguments = ["--ro-bind", "/usr", "/usr", "--dir", "/etc"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        top = Path("/", name)
        if top.is_symlink():
            arguments += ["--symlink", str(top.readlink()), str(top)]
        elif top.exists():
            arguments += ["--ro-bind", str(top), str(top)]
    for path in ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"):
        arguments += ["--ro-bind-try", path, path]
    server = Path(_SERVER_FOLDER, INSIDE.name)
    arguments += [*_open_parents(server), "--ro-bind", str(INSIDE), str(server)]
    arguments += ["--perms", "0644"] if not options.user_namespace else []
    arguments += ["--ro-bind-data", str(_PASSWD_FD), "/etc/passwd", "--proc", "/proc"]
    arguments += ["--dev", "/dev", *(["--perms", "1777"] if not options.user_namespace else [])]
    arguments += temporary(_SHARED_MEMORY, _SHARED_MEMORY_BYTES)
    arguments += ["--remount-ro", "/dev"]
    for path in (_TMP, _HOME, _WORK):
        arguments += temporary(path, limits.disk_bytes)
    # After these, for what is readable may lie in one of them.
    for folder in readable:
        arguments += [*_open_parents(folder), "--ro-bind", str(folder), str(folder)]
    return [*arguments, "--chdir", _WORK, "--remount-ro", "/"]


def _open_parents(path: Path) -> list[str]:
    """Make the folders above a path passable for everybody, whatever they are outside."""
    arguments: list[str] = []
    for parent in reversed(path.parents[:-1]):
        if not parent.is_relative_to("/usr"):
            arguments += ["--dir", str(parent)]
    return arguments


def _full_pipe(content: bytes) -> int:
    """The reading end of a pipe that already holds all its content."""
    read, write = os.pipe()
    os.write(write, content)
    os.close(write)
    return read
