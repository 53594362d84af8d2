"""Which models: specs, parameters, aliases, groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class ModelSpecError(ValueError):
    """A model spec that cannot be right; its text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model under test."""

    label: str
    """What the user typed; stands in test ids and tables."""
    provider: str
    name: str
    """What the provider calls it; may hold slashes and colons."""
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The spec's `?key=value&…`, as text."""

    @property
    def spec(self) -> str:
        """The exact spec, `provider/name?key=value&…`."""
        query = "&".join(f"{key}={value}" for key, value in self.parameters.items())
        return f"{self.provider}/{self.name}" + (f"?{query}" if query else "")
