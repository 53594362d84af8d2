"""The server of one box: answers requests until nobody asks any more."""

from __future__ import annotations

import os

from . import files, frames, programs, tree

_LARGEST_REQUEST = 1 << 28
_MOST_FILES_LISTED = 20_000


def serve(
    place: programs.Place, control_in: int, control_out: int, bounds: programs.Bounds
) -> None:
    """Answer one request after the other; return when the other side has closed."""
    while True:
        try:
            request = frames.read_frame(control_in, _LARGEST_REQUEST)
            if request is None:
                return
            place.unlock()
            reply = _answer(place, bounds, request, control_in)
            place.lock()
            frames.write_frame(control_out, reply)
        except (frames.BrokenFrameError, programs.AbandonedError):
            return


def take_over_streams() -> tuple[int, int]:
    """Keep stdin and stdout as the control pipes, out of reach of the programs to come."""
    os.closerange(3, 1 << 10)
    control = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return control


def serve_streams(kind: str) -> None:
    """Serve a box whose folders exist already, over stdin and stdout; the whole process.

    `kind` says how the box's processes are told from others: `namespace` or `group`.
    """
    control_in, control_out = take_over_streams()
    greeting = frames.read_frame(control_in, _LARGEST_REQUEST)
    if greeting is None:
        return
    plan = parse_plan(greeting)
    processes = tree.Namespace() if kind == "namespace" else tree.Group()
    place = programs.Place(os.fsdecode(plan[b"work"]), processes)
    place.mounts = split_paths(plan[b"mounts"])
    place.folder = os.fsdecode(plan[b"folder"])
    if kind == "namespace":
        _enter_namespace(plan)
    folders = plan[b"work"], plan[b"home"], plan[b"tmp"]
    frames.write_frame(control_out, [b"ready", *folders])
    serve(place, control_in, control_out, bounds_of(plan))


def parse_plan(fields: list[bytes]) -> dict[bytes, bytes]:
    """Alternating keys and values as a dictionary."""
    return dict(zip(fields[::2], fields[1::2], strict=True))


def split_paths(joined: bytes) -> list[str]:
    """Paths that stand NUL-separated in a plan."""
    return [os.fsdecode(path) for path in joined.split(b"\0") if path]


def bounds_of(plan: dict[bytes, bytes]) -> programs.Bounds:
    """The limits that hold for every run of the box."""
    return programs.Bounds(plan[b"limits"].split())


def _enter_namespace(plan: dict[bytes, bytes]) -> None:
    """As root: become the box's own user. Then close this process to its equals."""
    # ctypes is slow to import, and only Linux needs it. That other user may not read it.
    from . import kernel  # noqa: PLC0415 - see above

    uid = int(plan[b"uid"])
    if uid:
        for key in (b"work", b"home", b"tmp"):
            os.chown(plan[key], uid, uid)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    kernel.hide_memory()


def _answer(
    place: programs.Place, bounds: programs.Bounds, request: list[bytes], control: int
) -> list[bytes]:
    verb, *arguments = request
    try:
        if verb == b"run":
            return _run(place, bounds, arguments, control)
        if verb == b"write":
            _write(place, arguments)
            return [b"done"]
        if verb == b"read":
            path, most = arguments
            return [b"content", files.read_file(place.work, os.fsdecode(path), int(most))]
        found = files.list_files(place.work, _MOST_FILES_LISTED)
        return [b"names", *(os.fsencode(name) for name in found)]
    except FileNotFoundError:
        return [b"missing"]
    except OSError as error:
        return [b"failed", os.fsencode(error.strerror or str(error))]


def _write(place: programs.Place, arguments: list[bytes]) -> None:
    for path, data in zip(arguments[::2], arguments[1::2], strict=True):
        files.write_file(place.work, os.fsdecode(path), data)


def _run(
    place: programs.Place, bounds: programs.Bounds, arguments: list[bytes], control: int
) -> list[bytes]:
    time_s, has_stdin, stdin, count, *words = arguments
    environment = dict(word.split(b"=", 1) for word in words[int(count) :])
    given = stdin if has_stdin == b"1" else None
    command = programs.Command(words[: int(count)], environment, given)
    bounds.time_s = float(time_s)
    outcome = programs.run(place, bounds, command, control)
    return [
        b"ran",
        str(outcome.returncode).encode(),
        outcome.limit.encode(),
        repr(outcome.duration_s).encode(),
        b"1" if outcome.stdout.truncated or outcome.stderr.truncated else b"0",
        outcome.stdout.content,
        outcome.stderr.content,
    ]
