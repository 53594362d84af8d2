"""Attacks on the machine's resources, a little larger than the limits of the ground.

What a program holds is what counts: an attack succeeds when it holds more than its limit for a
while, so that a watchdog which ends it in time contains it as well as a limit that refuses.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pytest_llmbench.sandbox.protocol import Limits
from pytest_llmbench.testing.attacks.attack import Attack, Outcome, Planted
from pytest_llmbench.testing.attacks.ground import Ground

_HOLD_S = 0.5
_BEYOND = 1.6
"""How many times its limit an attack tries to use."""
_MOST_PROCESSES = 200


def _holding(
    wanted: Callable[[Ground], dict[str, object]],
) -> Callable[[Ground], AbstractContextManager[Planted]]:
    """The program tells `hold` only when it has held everything for a while."""

    @contextmanager
    def plant(ground: Ground) -> Iterator[Planted]:
        def find_harm(outcome: Outcome) -> str | None:
            held = outcome.value("hold")
            return f"it held {held}" if held is not None else None

        yield Planted(
            find_harm, {"hold_s": 0.0 if ground.unconfined else _HOLD_S, **wanted(ground)}
        )

    return plant


def _filling(
    folders: Callable[[Ground], Sequence[str]], amount: Callable[[Ground], int]
) -> Callable[[Ground], AbstractContextManager[Planted]]:
    """The program fills folders with files named by the token; without a sandbox, planted ones."""

    @contextmanager
    def plant(ground: Ground) -> Iterator[Planted]:
        planted = str(ground.new_folder(ground.home))
        places = [planted] if ground.unconfined else list(folders(ground))
        settings = _holding(
            lambda _: {
                "folders": places,
                "amount": amount(ground),
                "largest": ground.limits.file_bytes,
            }
        )
        with settings(ground) as hold:
            yield hold
        for place in places:
            for file in Path(os.path.expandvars(place)).glob(f"{ground.token}*"):
                with suppress(OSError):
                    file.unlink()

    return plant


def _beyond(limit: Callable[[Limits], int]) -> Callable[[Ground], int]:
    return lambda ground: int(_BEYOND * limit(ground.limits))


_disk = _beyond(lambda limits: limits.disk_bytes)
_memory = _beyond(lambda limits: limits.memory_bytes)


@contextmanager
def _many_processes(ground: Ground) -> Iterator[Planted]:
    limit = ground.limits.processes

    def find_harm(outcome: Outcome) -> str | None:
        count = outcome.value("fork") or 0
        return f"it ran {count} processes at once" if count > limit else None

    yield Planted(find_harm, {"count": min(4 * limit, _MOST_PROCESSES)})


@contextmanager
def _flood(ground: Ground) -> Iterator[Planted]:
    def find_harm(outcome: Outcome) -> str | None:
        kept = len(outcome.run.stdout.encode())
        if kept > ground.limits.output_bytes:
            return f"{kept} bytes of output were kept"
        return None if outcome.run.output_truncated else "the result does not tell that it was cut"

    yield Planted(find_harm, {"amount": 64 * ground.limits.output_bytes})


@contextmanager
def _large_file(ground: Ground) -> Iterator[Planted]:
    largest = ground.limits.file_bytes

    def find_harm(outcome: Outcome) -> str | None:
        size = outcome.value("size") or 0
        return f"it made a file of {size} bytes" if size > largest else None

    yield Planted(find_harm, {"size": 2 * largest})


_HOLD = """
def hold(what):
    time.sleep(settings["hold_s"])
    return what
"""
_TOUCH = """
STEP = 1 << 20
def touch(amount):
    parts = []
    for _ in range(amount // STEP):
        parts.append(b"x" * STEP)
    return parts
"""
_CHILDREN = """
CHILDREN = 6
def in_children(step):
    ready, tell_ready = os.pipe()
    stay, release = os.pipe()
    for _ in range(CHILDREN):
        if not os.fork():
            os.close(release)
            kept = step()
            os.write(tell_ready, b"r")
            os.read(stay, 1)
            os._exit(0)
    os.close(tell_ready)
    count = 0
    while count < CHILDREN:
        if not os.read(ready, 1):
            raise OSError(errno.ECHILD, "a child ended early")
        count += 1
"""
_FILL = (
    _HOLD
    + """
def fill():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    missing, block = settings["amount"], b"x" * (1 << 18)
    for index, place in enumerate(map(os.path.expandvars, settings["folders"])):
        number = 0
        while missing > 0 and number < 500:
            number += 1
            path = os.path.join(place, f"{settings['token']}-{index}-{number}")
            try:
                with open(path, "wb", buffering=0) as file:
                    for _ in range(0, settings["largest"], len(block)):
                        written = file.write(block)
                        missing -= written
                        if missing <= 0 or not written:
                            break
            except OSError as error:
                tell(full=place, error=error.errno)
                break
    if missing > 0:
        raise OSError(errno.ENOSPC, "full")
def fill_and_hold():
    fill()
    return hold(f"{settings['amount']} bytes")
tell(tried="start")
attempt("hold", fill_and_hold)
"""
)

RESOURCE_ATTACKS = (
    Attack(
        "fork_bomb_200",
        """
def fork():
    count = 1
    try:
        while count < settings["count"]:
            if not os.fork():
                time.sleep(20)
                os._exit(0)
            count += 1
            tell(tried="fork", value=count)
    except OSError as error:
        tell(tried="one more", error=error.errno)
    return count
tell(tried="start")
attempt("fork", fork)
""",
        _many_processes,
        timeout_s=2.0,
    ),
    Attack(
        "mem_1500MB_one_process",
        _HOLD
        + _TOUCH
        + """
def take():
    parts = touch(settings["amount"])
    return hold(f"{len(parts)} MiB")
tell(tried="start")
attempt("hold", take)
""",
        _holding(lambda ground: {"amount": _memory(ground)}),
    ),
    Attack(
        "mem_1500MB_in_6_processes",
        _HOLD
        + _TOUCH
        + _CHILDREN
        + """
def take():
    in_children(lambda: touch(settings["amount"] // CHILDREN))
    return hold(f"{settings['amount'] >> 20} MiB in {CHILDREN} processes")
tell(tried="start")
attempt("hold", take)
""",
        _holding(lambda ground: {"amount": _memory(ground)}),
    ),
    Attack(
        "mem_memfd_1500MB",
        _HOLD
        + """
def take():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    kept, block = [], b"x" * (1 << 20)
    for _ in range(settings["amount"] >> 20):
        kept.append(os.memfd_create("kept"))
        os.write(kept[-1], block)
    return hold(f"{len(kept)} MiB in {len(kept)} files in memory")
tell(tried="start")
attempt("hold", take)
""",
        _holding(lambda ground: {"amount": min(_memory(ground), 200 << 20)}),
    ),
    Attack(
        "mem_shared_mmap_6x250MB",
        _HOLD
        + _CHILDREN
        + """
import mmap
def take():
    def share():
        memory = mmap.mmap(-1, settings["amount"] // CHILDREN)
        memory.write(b"x" * len(memory))
        return memory
    in_children(share)
    return hold(f"{settings['amount'] >> 20} MiB in {CHILDREN} shared maps")
tell(tried="start")
attempt("hold", take)
""",
        _holding(lambda ground: {"amount": _memory(ground)}),
    ),
    Attack(
        "disk_one_file_200MB",
        """
def write():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with open("large", "wb", buffering=0) as file:
        for _ in range(0, settings["size"], 1 << 18):
            file.write(b"x" * (1 << 18))
attempt("write", write)
attempt("size", lambda: os.stat("large").st_size)
attempt("remove", lambda: os.unlink("large"))
""",
        _large_file,
        fills_box=True,
    ),
    Attack(
        "sparse_10TB",
        """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
descriptor = os.open("sparse", os.O_RDWR | os.O_CREAT)
attempt("truncate", lambda: os.ftruncate(descriptor, 10 << 40))
attempt("size", lambda: os.stat("sparse").st_size)
os.unlink("sparse")
""",
        _large_file,
        fills_box=True,
    ),
    Attack(
        "disk_40_files_of_5MB",
        _FILL,
        _filling(lambda _: ["."], _disk),
        fills_box=True,
    ),
    Attack("disk_tmp_200MB", _FILL, _filling(lambda _: ["/tmp", "$TMPDIR"], _disk), fills_box=True),  # noqa: S108
    Attack(
        "disk_in_all_folders",
        _FILL,
        _filling(lambda _: [".", "$HOME", "$TMPDIR"], _disk),
        fills_box=True,
    ),
    Attack("fill_home", _FILL, _filling(lambda _: ["$HOME"], _disk), fills_box=True),
    Attack(
        "fill_devshm",
        _FILL,
        _filling(lambda _: ["/dev/shm"], lambda ground: ground.fill_bytes),  # noqa: S108
        fills_box=True,
    ),
    Attack(
        "fill_dev",
        _FILL,
        _filling(lambda _: ["/dev", "/dev/pts", "/dev/mqueue"], lambda ground: ground.fill_bytes),
        fills_box=True,
    ),
    Attack(
        "fill_root",
        _FILL,
        _filling(
            lambda _: ["/", "/etc", "/usr", "/var", "/run", "/opt", "/srv", "/home", "/root"],
            lambda ground: ground.fill_bytes,
        ),
        fills_box=True,
    ),
    Attack(
        "inodes_4000_files",
        _HOLD
        + """
def make():
    os.mkdir("many")
    for number in range(settings["count"]):
        os.close(os.open(f"many/{number}", os.O_WRONLY | os.O_CREAT))
    return hold(f"{settings['count']} files")
tell(tried="start")
attempt("hold", make)
""",
        _holding(lambda ground: {"count": 2 * ground.limits.files}),
        fills_box=True,
    ),
    Attack(
        "infinite_stdout",
        """
attempt("start", lambda: None)
for _ in range(0, settings["amount"], 4096):
    os.write(1, b"x" * 4096)
""",
        _flood,
        timeout_s=2.0,
    ),
)
