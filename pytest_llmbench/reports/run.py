"""A finished run: all that a report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_llmbench.providers.protocol import Kind
from pytest_llmbench.results import Result


@dataclass(frozen=True, slots=True)
class Environment:
    """Where and with what the run was made."""

    plugin: str
    """This plugin's version."""
    python: str
    platform: str
    sandbox: str | None
    """The confinement that programs ran in, `none` included; None when no program was run."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Version of each package that matters to the figures."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What is known of one model under test. None: nobody said."""

    spec: str
    provider: str
    kind: Kind
    served_model: str | None = None
    digest: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    """The context that was really fitted, in tokens."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task, as asked."""

    nodeid: str
    points: Mapping[str, float]
    """Category → points; empty when all checks share 100."""
    prompts: Mapping[str, str]
    """Name of the prompt variant → `sha256:…` of its text."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the benchmark."""

    environment: Environment
    models: Mapping[str, ModelRecord]
    """Label → model, in the order in which they were asked for."""
    tasks: Mapping[str, TaskRecord]
    results: tuple[Result, ...]
    fail_under: float = 100.0
    """A result with at least this score has passed."""
