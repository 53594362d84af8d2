"""The shapes of this folder's fixtures."""

from __future__ import annotations

from typing import Protocol

from pytest_llmbench.sandbox.protocol import Box, ProgramResult


class OpenBox(Protocol):
    """Opens boxes that are closed at the end of the test; keywords are those of `Limits`."""

    def __call__(self, **limits: float) -> Box: ...


class RunPython(Protocol):
    """Runs Python code in a fresh box; further keywords are those of `Limits`."""

    def __call__(
        self,
        code: str,
        *argv: str,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        **limits: float,
    ) -> ProgramResult: ...
