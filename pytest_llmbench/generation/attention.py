"""Keeping this process awake to its streams while tests compute beside them.

A piece that arrives is stamped by a thread that needs the interpreter's lock for it. A test that
computes in the main thread gives the lock away only every `sys.getswitchinterval()`, 5 ms unless
told otherwise, and a piece needs it several times; a full garbage collection keeps it for as long
as it takes to look at every object, which is 0.1 s to 0.3 s with three SDKs imported.

Measured on two busy cores, with each SDK's server in a process of its own: what our stamps add to
the time at which a piece was sent, in the median. Beside a busy loop 10–21 ms with the usual
interval, 2–4.5 ms with 0.5 ms, 1.5–2 ms with 0.1 ms, and no better below, where the stream's own
thread is interrupted as often. Beside checks that parse, extract and start programs, the worst
was 370 ms with garbage collections and 30 ms without. `tests/benchmarks/test_timing.py` measures
it again.
"""

from __future__ import annotations

import atexit
import gc
import sys
import threading

SWITCH_INTERVAL_S = 0.0001
"""How long a computing thread may keep the interpreter's lock while a stream wants it."""


class Attention:
    """A context manager around each stream that is being timed; streams may overlap.

    Within, threads hand the interpreter's lock over quickly, and objects that are there already
    are out of the garbage collector's sight. `end` gives them back to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams = 0
        self._usual_interval_s = 0.0
        self._modules_seen = 0
        self._may_freeze = gc.get_freeze_count() == 0

    def __enter__(self) -> None:
        with self._lock:
            self._streams += 1
            if self._streams == 1:
                self._usual_interval_s = sys.getswitchinterval()
                sys.setswitchinterval(min(SWITCH_INTERVAL_S, self._usual_interval_s))
            # What lives long comes with imports; freezing more often would keep garbage alive.
            if self._may_freeze and self._modules_seen != len(sys.modules):
                self._modules_seen = len(sys.modules)
                gc.freeze()
                # At the end, the interpreter would look through all modules once more: 0.7 s.
                atexit.unregister(gc.freeze)
                atexit.register(gc.freeze)

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._streams -= 1
            if self._streams == 0:
                sys.setswitchinterval(self._usual_interval_s)

    def end(self) -> None:
        """Let the garbage collector see all objects again. Call it when no stream is timed."""
        with self._lock:
            if self._may_freeze and self._modules_seen:
                self._modules_seen = 0
                gc.unfreeze()
