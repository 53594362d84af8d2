"""The providers and sandboxes that ship, offered through the same hooks as anybody's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pytest_llmbench.providers.anthropic import AnthropicProvider
from pytest_llmbench.providers.offline import DemoProvider, FileProvider, OwnAnswersProvider
from pytest_llmbench.providers.ollama import OllamaProvider
from pytest_llmbench.providers.openai import OpenAIProvider
from pytest_llmbench.providers.presets import PRESETS
from pytest_llmbench.providers.protocol import Provider
from pytest_llmbench.sandbox.choose import builtin_sandboxes
from pytest_llmbench.sandbox.protocol import Sandbox


class BuiltIn:
    """What ships with the plugin. Asked first, so that others can replace a provider."""

    def pytest_llmbench_providers(self, config: pytest.Config) -> Sequence[Provider]:
        """The providers that ship."""
        return [
            AnthropicProvider(),
            OllamaProvider(),
            *(OpenAIProvider(preset) for preset in PRESETS.values()),
            FileProvider(config.invocation_params.dir),
            DemoProvider(),
            OwnAnswersProvider(),
        ]

    def pytest_llmbench_sandboxes(self) -> Sequence[Sandbox]:
        """The sandboxes that ship, the strongest first."""
        return builtin_sandboxes()
