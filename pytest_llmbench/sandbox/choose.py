"""Which sandbox a run uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    obstacles: dict[str, str] = {}
    chosen = None
    for candidate in candidates:
        if candidate.automatic if name == AUTO else candidate.name == name:
            obstacle = candidate.find_obstacle()
            if obstacle is None:
                chosen = candidate
                break
            obstacles[candidate.name] = obstacle
    for candidate in candidates:
        if candidate is not chosen:
            candidate.close()
    if chosen is None:
        raise SandboxError(_explain(name, candidates, obstacles))
    return chosen


def _explain(name: str, candidates: Sequence[Sandbox], obstacles: Mapping[str, str]) -> str:
    if name in obstacles:
        return f"the sandbox {name} does not hold on this machine: {obstacles[name]}"
    if name != AUTO:
        names = ", ".join([AUTO, *(candidate.name for candidate in candidates)])
        return f"there is no sandbox named {name!r}; there are {names}"
    tried = "; ".join(f"{tried}: {obstacle}" for tried, obstacle in obstacles.items())
    return (
        f"no sandbox holds on this machine, so no program will be run ({tried}); "
        "install bubblewrap, or use Linux 5.13 or later with Landlock, or --llm-sandbox=docker"
    )
