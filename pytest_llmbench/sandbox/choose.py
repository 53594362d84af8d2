"""Which sandbox a run uses."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmbench.sandbox.bubblewrap import Bubblewrap
from pytest_llmbench.sandbox.docker import Docker
from pytest_llmbench.sandbox.landlock import Landlock
from pytest_llmbench.sandbox.protocol import Sandbox, SandboxError
from pytest_llmbench.sandbox.seatbelt import Seatbelt
from pytest_llmbench.sandbox.unconfined import Unconfined

AUTO = "auto"


def builtin_sandboxes() -> tuple[Sandbox, ...]:
    """The sandboxes that ship, in the order in which `auto` tries them. Starts nothing."""
    return (Bubblewrap(), Landlock(), Seatbelt(), Docker(), Unconfined())


def choose_sandbox(name: str, candidates: Sequence[Sandbox]) -> Sandbox:
    """The candidate of that name, or for `auto` the first automatic one, that proves itself.

    All other candidates are closed. Raises SandboxError, with all that was tried and what
    to do.
    """
    wanted = [
        candidate
        for candidate in candidates
        if (candidate.automatic if name == AUTO else candidate.name == name)
    ]
    if not wanted:
        names = ", ".join([AUTO, *(candidate.name for candidate in candidates)])
        raise SandboxError(f"there is no sandbox named {name!r}; there are {names}")
    obstacles = []
    chosen: Sandbox | None = None
    for candidate in wanted:
        obstacle = candidate.find_obstacle()
        if obstacle is None:
            chosen = candidate
            break
        obstacles.append(f"{candidate.name}: {obstacle}")
    for candidate in candidates:
        if candidate is not chosen:
            candidate.close()
    if chosen is not None:
        return chosen
    tried = "; ".join(obstacles)
    raise SandboxError(
        f"no sandbox holds on this machine, so no program will be run ({tried}); "
        "install bubblewrap, or use Linux 5.13 or later with Landlock, or --llm-sandbox=docker"
    )
