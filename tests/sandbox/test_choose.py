"""Which sandbox a run gets, and what it says when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pytest_llmbench.sandbox.choose import builtin_sandboxes, choose_sandbox
from pytest_llmbench.sandbox.protocol import Box, Limits, Sandbox, SandboxError
from pytest_llmbench.sandbox.selftest import find_leak
from pytest_llmbench.sandbox.unconfined import Unconfined


class Scripted:
    """A sandbox that holds, or does not, as it is told."""

    restrictions: Sequence[str] = ()

    def __init__(self, name: str, obstacle: str | None = None, *, automatic: bool = True) -> None:
        self.name = name
        self.automatic = automatic
        self.obstacle = obstacle
        self.asked = self.closed = 0

    def find_obstacle(self) -> str | None:
        self.asked += 1
        return self.obstacle

    def open_box(self, limits: Limits, *, readable: Sequence[Path] = ()) -> Box:
        raise SandboxError("a scripted sandbox has no boxes")

    def python(self, *, libraries: bool = False) -> str:
        return "python3"

    def close(self) -> None:
        self.closed += 1


def test_auto_takes_the_first_that_holds() -> None:
    """Later ones are not even tried; all but the chosen one are closed."""
    broken, first, second = Scripted("a", "no kernel"), Scripted("b"), Scripted("c")
    assert choose_sandbox("auto", [broken, first, second]) is first
    assert (broken.asked, first.asked, second.asked) == (1, 1, 0)
    assert (broken.closed, first.closed, second.closed) == (1, 0, 1)


def test_auto_never_takes_what_is_by_name_only() -> None:
    """Not even when nothing else holds."""
    by_name = Scripted("none", automatic=False)
    with pytest.raises(SandboxError):
        choose_sandbox("auto", [Scripted("a", "broken"), by_name])
    assert by_name.asked == 0
    assert choose_sandbox("none", [Scripted("a"), by_name]) is by_name


def test_nothing_holds() -> None:
    """The error names each that was tried, why it failed, and what to do."""
    candidates = [Scripted("a", "no kernel"), Scripted("b", "no binary; install it")]
    with pytest.raises(SandboxError) as caught:
        choose_sandbox("auto", candidates)
    assert str(caught.value) == (
        "no sandbox holds on this machine, so no program will be run "
        "(a: no kernel; b: no binary; install it); "
        "install bubblewrap, or use Linux 5.13 or later with Landlock, or --llm-sandbox=docker"
    )
    assert [candidate.closed for candidate in candidates] == [1, 1]


def test_named_sandbox_that_does_not_hold() -> None:
    """A named sandbox is never replaced by another one."""
    named, other = Scripted("a", "no kernel"), Scripted("b")
    with pytest.raises(SandboxError) as caught:
        choose_sandbox("a", [named, other])
    assert str(caught.value) == "the sandbox a does not hold on this machine: no kernel"
    assert other.asked == 0


def test_unknown_name() -> None:
    candidate = Scripted("a")
    with pytest.raises(SandboxError) as caught:
        choose_sandbox("chroot", [candidate, Scripted("none", automatic=False)])
    assert str(caught.value) == "there is no sandbox named 'chroot'; there are auto, a, none"
    assert candidate.closed == 1


def test_third_parties_come_in_by_their_name() -> None:
    """A sandbox of somebody else's is chosen like those that ship."""
    theirs = Scripted("jail")
    assert choose_sandbox("jail", [*builtin_sandboxes(), theirs]) is theirs


def test_what_ships_and_what_is_automatic() -> None:
    sandboxes = builtin_sandboxes()
    assert [(sandbox.name, sandbox.automatic) for sandbox in sandboxes] == [
        ("bubblewrap", True),
        ("landlock", True),
        ("seatbelt", True),
        ("docker", False),
        ("none", False),
    ]


def test_no_sandbox_runs_programs_and_fails_the_hostile_proof() -> None:
    """`none` holds by its own word; the proof that the others pass sees through it."""
    unconfined: Sandbox = Unconfined()
    try:
        assert unconfined.find_obstacle() is None
        leak = find_leak(unconfined)
    finally:
        unconfined.close()
    assert leak == (
        "a hostile program read a file or the environment of a process outside of its box"
    )
