"""Server-sent events, decoded piece by piece as they come from the network."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event that carries data."""

    data: str
    name: str = ""
    """What the `event:` line says; empty when there is none."""


class EventDecoder:
    """Turns pieces of bytes into events; how the bytes are cut into pieces makes no difference.

    Comments, ids and retry times are dropped, and so is an event that the stream's end cuts off.
    """

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []
        self._after_return = False
        self._at_start = True
        self._data: list[bytes] = []
        self._name = ""

    def feed(self, piece: bytes) -> list[Event]:
        """The events that `piece` completes."""
        if self._after_return and piece:
            piece = piece.removeprefix(b"\n")
            self._after_return = False
        if not piece:
            return []
        first, *others = _LINE_END.split(piece)
        self._unfinished.append(first)
        if not others:
            return []
        self._after_return = piece.endswith(b"\r")
        *whole, rest = b"".join(self._unfinished), *others
        self._unfinished = [rest]
        return [event for line in whole if (event := self._read_line(line)) is not None]

    def _read_line(self, line: bytes) -> Event | None:
        if self._at_start:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Event | None:
        data, name = self._data, self._name
        self._data, self._name = [], ""
        return Event(b"\n".join(data).decode("utf-8", "replace"), name) if data else None
