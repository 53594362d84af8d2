"""Attacks on files: reading what is private, changing what is not the program's."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pytest_llmbench.testing.attacks.attack import Attack, Outcome, Planted
from pytest_llmbench.testing.attacks.ground import Ground, decoy

_OLD_S = 1_000_000_000


def shows_secret(ground: Ground) -> Callable[[Outcome], str | None]:
    """Look for the planted secret in what the program wrote."""

    def find_harm(outcome: Outcome) -> str | None:
        if ground.secret in outcome.run.stdout + outcome.run.stderr:
            return "it read the planted secret"
        return None

    return find_harm


@contextmanager
def _private_key(ground: Ground) -> Iterator[Planted]:
    folder = ground.new_folder(ground.home) / ".ssh"
    folder.mkdir(mode=0o700)
    key = folder / "id_ed25519"
    key.write_text(ground.secret, "utf-8")
    key.chmod(0o600)
    yield Planted(shows_secret(ground), {"path": str(key)})


@contextmanager
def _environment(ground: Ground) -> Iterator[Planted]:
    yield Planted(shows_secret(ground))  # the ground has put it there before the sandbox started


@contextmanager
def _world_readable(ground: Ground) -> Iterator[Planted]:
    yield Planted(shows_secret(ground), {"path": str(ground.plant_secret(ground.other))})


@contextmanager
def _inherited(ground: Ground) -> Iterator[Planted]:
    yield Planted(shows_secret(ground))


@contextmanager
def _open_by_decoy(ground: Ground) -> Iterator[Planted]:
    with decoy(ground) as other:
        secret = ground.plant_secret(ground.other)
        settings = {"pid": other.pid, "descriptor": other.descriptor, "path": str(secret)}
        yield Planted(shows_secret(ground), settings)


def _writing_into(
    choose: Callable[[Ground], Path | None],
) -> Callable[[Ground], AbstractContextManager[Planted]]:
    """Plant a file in a folder: it must stay as it is, and alone."""

    @contextmanager
    def plant(ground: Ground) -> Iterator[Planted]:
        folder = ground.new_folder(choose(ground))
        kept = folder / "kept"
        kept.write_text("untouched", "utf-8")
        os.utime(kept, (_OLD_S, _OLD_S))
        kept.chmod(0o640)
        before = kept.stat()

        def find_harm(_: Outcome) -> str | None:
            if not folder.is_dir() or [each.name for each in folder.iterdir()] != ["kept"]:
                return "files came or went in the planted folder"
            if kept.read_text("utf-8") != "untouched":
                return "it wrote to the planted file"
            after = kept.stat()
            if stat.S_IMODE(after.st_mode) != stat.S_IMODE(before.st_mode):
                return "it changed the mode of the planted file"
            if after.st_mtime_ns != before.st_mtime_ns:
                return "it changed the time of the planted file"
            return None

        yield Planted(find_harm, {"folder": str(folder)})

    return plant


@contextmanager
def _readable_folder(ground: Ground) -> Iterator[Planted]:
    """The folder that the box may read stands for the interpreter's, and is written to."""
    tool = ground.readable / f"tool-{os.urandom(4).hex()}.py"
    tool.write_text("untouched", "utf-8")

    def find_harm(outcome: Outcome) -> str | None:
        if tool.read_text("utf-8") != "untouched" or list(ground.readable.glob("planted*")):
            return "it wrote into a folder shown read-only"
        if outcome.value("open the interpreter") is not None:
            return "it may write to the interpreter"
        return None

    yield Planted(find_harm, {"tool": str(tool)})
    for file in ground.readable.iterdir():
        file.unlink()


@contextmanager
def _privileged_file(ground: Ground) -> Iterator[Planted]:
    name = f"{ground.token}-setuid"

    def find_harm(outcome: Outcome) -> str | None:
        if outcome.value("make it effective"):
            return "it made a setuid file that the kernel would honour"
        root = Path(tempfile.gettempdir())
        for folder, _, files in os.walk(root):
            if name in files and Path(folder, name).stat().st_mode & stat.S_ISUID:
                return "a setuid file lies on the host"
        return None

    yield Planted(find_harm, {"name": name})


@contextmanager
def _links(ground: Ground) -> Iterator[Planted]:
    secret = ground.plant_secret(ground.home)

    def find_harm(outcome: Outcome) -> str | None:
        for path in ("report.txt", "folder/secret", "own-link.txt", "pipe"):
            if outcome.read(path) is not None:
                return f"the host read {path}, which is no file of the box"
        return None

    yield Planted(find_harm, {"secret": str(secret)})


FILE_ATTACKS = (
    Attack(
        "read_ssh_key",
        """
attempt("read", lambda: read(settings["path"]))
attempt("list", lambda: os.listdir(os.path.dirname(settings["path"])))
""",
        _private_key,
    ),
    Attack(
        "read_env_api_key",
        """
attempt("environment", lambda: dict(os.environ))
for pid in ("self", os.getppid(), 1):
    attempt(f"environment of {pid}", lambda: read(f"/proc/{pid}/environ"))
""",
        _environment,
    ),
    Attack(
        "read_world_file_outside_home",
        'attempt("read", lambda: read(settings["path"]))',
        _world_readable,
    ),
    Attack(
        "write_home",
        """
folder = settings["folder"]
def write():
    with open(folder + "/new", "w") as file:
        return file.write("pwned")
def overwrite():
    with open(folder + "/kept", "a") as file:
        return file.write("pwned")
attempt("write", write)
attempt("overwrite", overwrite)
""",
        _writing_into(lambda ground: ground.home),
    ),
    Attack(
        "write_tmp",
        """
def write():
    with open(settings["folder"] + "/new", "w") as file:
        return file.write("pwned")
attempt("write", write)
""",
        _writing_into(lambda ground: ground.temp),
    ),
    Attack(
        "write_devshm",
        """
def write():
    with open(settings["folder"] + "/new", "w") as file:
        return file.write("pwned")
attempt("write", write)
""",
        _writing_into(lambda ground: ground.shared_memory),
    ),
    Attack(
        "delete_home",
        """
attempt("unlink", lambda: os.unlink(settings["folder"] + "/kept"))
attempt("rename", lambda: os.rename(settings["folder"], settings["folder"] + "-gone"))
attempt("rmdir", lambda: os.rmdir(settings["folder"]))
""",
        _writing_into(lambda ground: ground.home),
    ),
    Attack(
        "chmod_home",
        'attempt("chmod", lambda: os.chmod(settings["folder"] + "/kept", 0o777))',
        _writing_into(lambda ground: ground.home),
    ),
    Attack(
        "utime_home",
        'attempt("utime", lambda: os.utime(settings["folder"] + "/kept", (1, 1)))',
        _writing_into(lambda ground: ground.home),
    ),
    Attack(
        "truncate_home",
        'attempt("truncate", lambda: os.truncate(settings["folder"] + "/kept", 0))',
        _writing_into(lambda ground: ground.home),
    ),
    Attack(
        "write_interpreter",
        """
tool = settings["tool"]
def write():
    with open(tool, "a") as file:
        return file.write("pwned")
def add():
    with open(os.path.dirname(tool) + "/planted.py", "w") as file:
        return file.write("pwned")
def open_interpreter():
    descriptor = os.open(json.__file__, os.O_WRONLY)
    os.close(descriptor)
    return True
attempt("write", write)
attempt("add", add)
attempt("open the interpreter", open_interpreter)
""",
        _readable_folder,
    ),
    Attack(
        "setuid_file",
        """
name = settings["name"]
def make():
    with open(name, "w") as file:
        file.write("#!/bin/sh\\n")
    os.chmod(name, 0o4755)
    return oct(os.stat(name).st_mode)
def effective():
    return bool(os.stat(name).st_mode & 0o4000 and not os.statvfs(name).f_flag & os.ST_NOSUID)
attempt("make", make)
attempt("make it effective", effective)
""",
        _privileged_file,
    ),
    Attack(
        "symlink_passwd",
        """
secret = settings["secret"]
with open("own.txt", "w") as file:
    file.write("the program's own")
attempt("link a file", lambda: os.symlink(secret, "report.txt"))
attempt("link a folder", lambda: os.symlink(os.path.dirname(secret), "folder"))
attempt("link its own file", lambda: os.symlink("own.txt", "own-link.txt"))
attempt("make a pipe", lambda: os.mkfifo("pipe"))
""",
        _links,
        fills_box=True,
    ),
    Attack(
        "inherited_fds",
        """
for descriptor in range(3, 256):
    attempt(f"read {descriptor}", lambda: os.pread(descriptor, 4096, 0).decode())
""",
        _inherited,
    ),
    Attack(
        "proc_root_cwd_fd",
        """
pid, path = settings["pid"], settings["path"]
for process in (pid, 1, os.getppid()):
    attempt(f"root of {process}", lambda: read(f"/proc/{process}/root{path}"))
    attempt(f"folder of {process}", lambda: read(f"/proc/{process}/cwd/secret"))
attempt("descriptor", lambda: read(f"/proc/{pid}/fd/{settings['descriptor']}"))
""",
        _open_by_decoy,
    ),
)
