"""A clock that only moves when somebody sleeps on it."""

from __future__ import annotations

import threading


class FakeClock:
    """Stands still but for `sleep`, which moves it at once; safe between threads."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s
        self._lock = threading.Lock()
        self.slept_s: list[float] = []
        """Every sleep, in order."""

    def now(self) -> float:
        """Seconds on this clock."""
        with self._lock:
            return self._now_s

    def sleep(self, seconds: float) -> None:
        """Move the clock forward and return at once."""
        with self._lock:
            self._now_s += seconds
            self.slept_s.append(seconds)
