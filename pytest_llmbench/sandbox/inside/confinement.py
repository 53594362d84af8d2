"""A box without namespaces: a folder, a user of its own where possible, Landlock and seccomp."""

# No pathlib in here: importing it would lengthen the start of every box.
# ruff: noqa: PTH102, PTH103, PTH116

from __future__ import annotations

import os
import time

from . import frames, kernel, programs, server, tree

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SYSTEM_FILES = (
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
)
_READABLE_DEVICES = ("/dev/zero", "/dev/random", "/dev/urandom")
_WRITABLE_DEVICES = ("/dev/null", "/dev/full")
_FIRST_BOX_UID = 2_000_000_000
"""No machine has users from here on; each box is the user that its server's PID names."""
_COUNT_LASTS_S = 1.0


def serve_box(plan: dict[bytes, bytes], folder: str) -> None:
    """Make the folder a box, then serve it over stdin and stdout; the whole process."""
    control_in, control_out = server.take_over_streams()
    os.setsid()
    kernel.adopt_orphans()
    readable = server.split_paths(plan[b"readable"])
    bounds = server.bounds_of(plan)
    work, home, tmp = (f"{folder}/{name}" for name in ("work", "home", "tmp"))
    place = programs.Place(work, tree.Descendants())
    place.folder = folder
    confined = plan[b"confined"] == b"1"
    if confined and os.geteuid() == 0:
        if _mount_box(folder, readable, bounds):
            place.folder, place.mounts = "", [folder]
        alone = _become_box_user(folder, readable)
    else:
        alone = False
    for path in (work, home, tmp):
        os.mkdir(path, 0o700)
    if not alone:
        place.processes_in_use = _ThreadCount().now
        if os.geteuid() == 0:
            # The kernel does not limit the processes of root.
            place.look_every_s = programs.LOOK_OFTEN_S
    if confined:
        place.confine = _Confinement(plan, folder, readable).enter
    kernel.hide_memory()
    frames.write_frame(control_out, [b"ready", *map(os.fsencode, (work, home, tmp))])
    server.serve(place, control_in, control_out, bounds)


class _Confinement:
    """What a program's process puts on before it becomes the program."""

    def __init__(self, plan: dict[bytes, bytes], folder: str, readable: list[str]) -> None:
        self._filter = plan[b"filter"]
        self._landlock = kernel.Landlock(int(plan[b"abi"]))
        for path in (*_SYSTEM, *_SYSTEM_FILES, *_READABLE_DEVICES, *readable):
            self._landlock.allow_reading(path)
        for path in _WRITABLE_DEVICES:
            self._landlock.allow(path, kernel.READ_FILE | kernel.WRITE_FILE | kernel.TRUNCATE)
        self._landlock.allow_everything(folder)

    def enter(self) -> None:
        kernel.renounce_privileges()
        self._landlock.enforce()
        kernel.filter_system_calls(self._filter)


class _ThreadCount:
    """The threads that already count against this user's limit, counted now and then."""

    def __init__(self) -> None:
        self._count = 0
        self._counted_at = -_COUNT_LASTS_S

    def now(self) -> int:
        if time.monotonic() - self._counted_at >= _COUNT_LASTS_S:
            self._count = tree.count_threads_of_user()
            self._counted_at = time.monotonic()
        return self._count


def _mount_box(folder: str, readable: list[str], bounds: programs.Bounds) -> bool:
    """As root: a file system of exactly the allowed size; False where mounting is forbidden.

    Where a closed folder, such as root's home, lies on the way to something that the box
    needs, an empty one hides it in which only that is found.
    """
    try:
        kernel.leave_mount_namespace()
    except PermissionError:
        return False
    hidden = {path: _first_closed_folder(path) for path in (*readable, folder)}
    opened = [(path, os.open(path, os.O_PATH)) for path, closed in hidden.items() if closed]
    for closed in sorted({closed for closed in hidden.values() if closed}):
        kernel.mount("none", closed, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0755")
    for path, fd in opened:
        os.makedirs(path, exist_ok=True)
        kernel.mount(f"/proc/self/fd/{fd}", path, None, kernel.MS_BIND | kernel.MS_REC)
        os.close(fd)
    size = f"size={bounds.disk_bytes},nr_inodes={bounds.files + 5},mode=0700"
    kernel.mount("none", folder, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, size)
    return True


def _first_closed_folder(path: str) -> str:
    """The first folder above `path` that only its owner may pass; empty when there is none."""
    parts = path.split("/")
    for length in range(2, len(parts)):
        above = "/".join(parts[:length])
        if not os.stat(above).st_mode & 0o001:
            return above
    return ""


def _become_box_user(folder: str, readable: list[str]) -> bool:
    """As root: become a user that owns nothing else; False where that user could not start
    a program, or does not exist (a user namespace may map a few users only)."""
    uid = _FIRST_BOX_UID + os.getpid()
    try:
        os.chown(folder, uid, uid)
    except OSError:
        return False
    if not _can_reach(uid, [folder, *readable]):
        os.chown(folder, 0, 0)
        return False
    _change_user(uid)
    return True


def _can_reach(uid: int, paths: list[str]) -> bool:
    pid = os.fork()
    if pid == 0:
        try:
            _change_user(uid)
            reached = all(os.access(path, os.R_OK | os.X_OK) for path in paths)
            os._exit(0 if reached else 1)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _change_user(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
