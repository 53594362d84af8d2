"""No sandbox: limits and clean-up, but nothing is kept from the program. By name only."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_llmbench.sandbox.box import ServedBox, encode_limits
from pytest_llmbench.sandbox.environment import interpreter
from pytest_llmbench.sandbox.launching import LauncherClient
from pytest_llmbench.sandbox.protocol import Box, Limits, SandboxError
from pytest_llmbench.sandbox.selftest import find_hindrance


class Unconfined:
    """Each box is a folder; its programs may do whatever the user may."""

    name = "none"
    automatic = False
    restrictions: Sequence[str] = ()

    def __init__(self) -> None:
        self._launcher = LauncherClient()

    def find_obstacle(self) -> str | None:
        """Whether honest programs run; nothing else is promised."""
        if not sys.platform.startswith("linux"):
            return "boxes without a sandbox need Linux"
        try:
            box = self.open_box(Limits())
            try:
                return find_hindrance(self, box)
            finally:
                box.close()
        except SandboxError as error:
            return str(error)

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        """See `Sandbox.open_box`."""
        plan = [
            b"parent", tempfile.gettempdir().encode(),
            b"limits", encode_limits(limits),
            b"readable", b"",
            b"confined", b"0",
        ]  # fmt: skip
        return ServedBox(self._launcher.fork_box(plan), limits, greeting=[], readable=readable)

    def python(self, *, libraries: bool = False) -> str:
        """See `Sandbox.python`."""
        return interpreter(libraries=libraries)

    def close(self) -> None:
        """See `Sandbox.close`."""
        self._launcher.close()
