"""A provider that plays scripts: what a server would send, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from pytest_llmbench.generation.chunks import Chunk
from pytest_llmbench.generation.clock import Clock
from pytest_llmbench.generation.request import Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import (
    Endpoint,
    Kind,
    Patience,
    ProviderError,
    ServedModel,
)

Step: TypeAlias = "tuple[float, Chunk | ProviderError]"
"""Seconds after the step before, and what happens then."""


@dataclass(frozen=True, slots=True)
class Script:
    """One play of a model: getting ready, then the steps of the stream."""

    steps: Sequence[Step] = ()
    served: ServedModel = field(default_factory=ServedModel)
    obstacle: ProviderError | None = None
    """Raised instead of getting ready."""


@dataclass(slots=True)
class ScriptedProvider:
    """Plays the scripts of a model one after the other, the last one again and again.

    `scripts` maps a model's name to its scripts; `clock` is what the steps are slept on.
    """

    scripts: Mapping[str, Sequence[Script]]
    clock: Clock
    name: str = "scripted"
    kind: Kind = "cloud"
    concurrency: int = 1
    requests: list[tuple[str, Request]] = field(default_factory=list)
    """(model name, request) of every stream that was asked for, in order."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def endpoint(self, model: Model) -> Endpoint:
        """One for all models, unless `?address=` names another."""
        address = model.parameters.get("address", f"{self.name}.invalid")
        return Endpoint(address, self.kind, self.concurrency)

    def open(self, model: Model) -> ScriptedSession:
        """Raises ProviderError for a model without a script."""
        if model.name not in self.scripts:
            raise ProviderError(f"there is no script for {model.name!r}", kind="model")
        return ScriptedSession(self, model.name)

    def next_script(self, name: str) -> Script:
        """The script whose turn it is."""
        with self._lock:
            played = sum(model == name for model, _ in self.requests)
            scripts = self.scripts[name]
            return scripts[min(played, len(scripts) - 1)]

    def note(self, name: str, request: Request) -> None:
        """Write a request down."""
        with self._lock:
            self.requests.append((name, request))


class ScriptedSession:
    """One model of a ScriptedProvider."""

    def __init__(self, provider: ScriptedProvider, name: str) -> None:
        self._provider = provider
        self._name = name
        self.closed = False

    def prepare(self, request: Request, patience: Patience) -> ServedModel:  # noqa: ARG002  # the protocol's
        """What the script says is served; raises its obstacle."""
        script = self._provider.next_script(self._name)
        if script.obstacle is not None:
            self._provider.note(self._name, request)
            raise script.obstacle
        return script.served

    def find_digest(self) -> str | None:
        """What the script says is served."""
        return self._provider.next_script(self._name).served.digest

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:  # noqa: ARG002
        """Play the steps."""
        script = self._provider.next_script(self._name)
        self._provider.note(self._name, request)
        for wait_s, event in script.steps:
            self._provider.clock.sleep(wait_s)
            if isinstance(event, ProviderError):
                raise event
            yield event

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
