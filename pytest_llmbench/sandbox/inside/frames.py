"""How the two sides of a box talk: frames of byte fields over pipes."""

from __future__ import annotations

import os
import select
import time

_WORD = 4


class BrokenFrameError(Exception):
    """The other side ended, went silent or sent what is no frame."""


def pack(fields: list[bytes]) -> bytes:
    """Put fields into one frame: its length, then each field after its own length."""
    body = b"".join(len(field).to_bytes(_WORD, "big") + field for field in fields)
    return len(body).to_bytes(_WORD, "big") + body


def unpack(body: bytes) -> list[bytes]:
    """Take a frame's fields apart. Raises BrokenFrameError."""
    fields = []
    start = 0
    while start < len(body):
        end = start + _WORD + int.from_bytes(body[start : start + _WORD], "big")
        if end > len(body):
            raise BrokenFrameError("a field is longer than its frame")
        fields.append(body[start + _WORD : end])
        start = end
    return fields


def write_frame(fd: int, fields: list[bytes]) -> None:
    """Write one frame. Raises BrokenFrameError when nobody reads any more."""
    rest = memoryview(pack(fields))
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError as error:
        raise BrokenFrameError(f"cannot write: {error}") from error


def read_frame(fd: int, max_bytes: int, deadline: float | None = None) -> list[bytes] | None:
    """Read one frame; None at a clean end.

    `deadline` is a reading of `time.monotonic()`. Raises BrokenFrameError.
    """
    head = _read(fd, _WORD, deadline)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) < _WORD or length > max_bytes:
        raise BrokenFrameError(f"a frame of {length} bytes where at most {max_bytes} are expected")
    body = _read(fd, length, deadline)
    if len(body) < length:
        raise BrokenFrameError("the other side ended within a frame")
    return unpack(body)


def _read(fd: int, count: int, deadline: float | None) -> bytes:
    pieces = []
    missing = count
    while missing:
        _wait(fd, deadline)
        piece = os.read(fd, min(missing, 1 << 20))
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _wait(fd: int, deadline: float | None) -> None:
    if deadline is None:
        return
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise BrokenFrameError("the other side did not answer in time")
