"""Streams whose every token has its moment, in the dialects of the three SDKs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import anthropic_server
import ollama_server
import openai_server
from apart import OpenServer
from pytest_llmbench.models import Model
from pytest_llmbench.providers.anthropic import AnthropicProvider
from pytest_llmbench.providers.ollama import OllamaProvider
from pytest_llmbench.providers.openai import OpenAIProvider
from pytest_llmbench.providers.presets import PRESETS
from pytest_llmbench.providers.protocol import Provider
from wire import Event, Reply, bundle

WORD = "word "

Thoughts: TypeAlias = Literal["none", "shown", "omitted"]


@dataclass(frozen=True, slots=True)
class Play:
    """One answer: when each of its tokens is sent, and how many of them are thinking."""

    moments_s: tuple[float, ...]
    thinking: int = 0
    thoughts: Thoughts = "none"
    bundled: int = 1
    """So many events leave together, with the last of them."""

    @property
    def visible_s(self) -> tuple[float, ...]:
        """The moments of the visible tokens."""
        return self.moments_s[self.thinking :]

    @property
    def thinking_s(self) -> tuple[float, ...]:
        """The moments of the others."""
        return self.moments_s[: self.thinking]


def steady(tokens: int, per_s: float, first_s: float) -> tuple[float, ...]:
    """The moments of so many tokens at an even pace."""
    return tuple(first_s + number / per_s for number in range(tokens))


class Dialect(Protocol):
    """How one SDK's server says a play."""

    @property
    def name(self) -> str:
        """The provider's name."""

    @property
    def open_server(self) -> OpenServer:
        """Makes a server of replies."""

    def provider(self) -> Provider:
        """The provider that speaks it."""

    def model(self, url: str, *, concurrency: int = 1) -> Model:
        """A model on the server at `url`."""

    def reply(self, play: Play) -> Reply:
        """The whole stream."""

    def sent_s(self, play: Play, sent_s: Sequence[float]) -> list[float]:
        """Of the server's stamps of all its events, those of the generated ones.

        Of a bundled play, the stamps of all bundles that hold some.
        """


def _spread(
    opening: Iterable[Event], tokens: Iterable[Event], closing: Iterable[Event], play: Play
) -> tuple[Event, ...]:
    return (*opening, *bundle(tokens, play.bundled), *closing)


class Anthropic:
    """The Messages API."""

    name = "anthropic"
    open_server = anthropic_server.AnthropicServer

    def provider(self) -> Provider:
        """Needs ANTHROPIC_API_KEY."""
        return AnthropicProvider()

    def model(self, url: str, *, concurrency: int = 1) -> Model:
        """A model on the server at `url`."""
        return _model(self.name, "claude", base_url=url, concurrency=str(concurrency))

    def reply(self, play: Play) -> Reply:
        """Thinking opens a block, whose text may be omitted."""
        server = anthropic_server
        last_s = play.moments_s[-1]
        opening = [server.message_start()]
        tokens: list[Event] = []
        if play.thoughts == "none":
            opening.append(server.block_start("text"))
        else:
            first_s = play.moments_s[0]
            opening.append(server.block_start("thinking", first_s))
            if play.thoughts == "shown":
                tokens += [server.thinking(WORD, at_s) for at_s in play.thinking_s]
            opened_s = play.visible_s[0]
            tokens += [server.signature(opened_s), server.block_stop(opened_s)]
            tokens.append(server.block_start("text", opened_s, index=1))
        index = int(play.thoughts != "none")
        tokens += [server.text(WORD, at_s, index) for at_s in play.visible_s]
        counts = {"output_tokens_details": {"thinking_tokens": play.thinking}}
        closing = [
            server.block_stop(last_s, index),
            server.message_delta("end_turn", len(play.moments_s), last_s, **counts),
            server.message_stop(last_s),
        ]
        return server.stream(_spread(opening, tokens, closing, play))

    def sent_s(self, play: Play, sent_s: Sequence[float]) -> list[float]:
        """From the opening of the thinking block or the first text, before the closing three."""
        return list(sent_s[2 if play.thoughts == "none" else 1 : -3])


class OpenAI:
    """Chat completions."""

    name = "openai"
    open_server = openai_server.OpenAIServer

    def provider(self) -> Provider:
        """Needs no key for a server on loopback."""
        return OpenAIProvider(PRESETS["openai"])

    def model(self, url: str, *, concurrency: int = 1) -> Model:
        """A model on the server at `url`."""
        served = openai_server.SERVED_MODEL
        return _model(self.name, served, base_url=f"{url}/v1", concurrency=str(concurrency))

    def reply(self, play: Play) -> Reply:
        """Omitted thinking leaves no trace but its count at the end."""
        server = openai_server
        tokens: list[Event] = []
        if play.thoughts == "shown":
            tokens += [server.chunk({"reasoning_content": WORD}, at_s) for at_s in play.thinking_s]
        tokens += [server.text(WORD, at_s) for at_s in play.visible_s]
        last_s, details = play.moments_s[-1], {"reasoning_tokens": play.thinking}
        counts = {"prompt_tokens": 9, "completion_tokens": len(play.moments_s)}
        closing = [
            server.finish("stop", last_s),
            server.usage(last_s, **counts, completion_tokens_details=details),
            server.done(last_s),
        ]
        return server.stream(_spread([server.role()], tokens, closing, play))

    def sent_s(self, play: Play, sent_s: Sequence[float]) -> list[float]:
        """After the role, before the closing three."""
        return list(sent_s[1:-3])


class Ollama:
    """Ollama's native API, as an old server speaks it: without figures of its own for the time."""

    name = "ollama"
    open_server = ollama_server.OllamaServer

    def provider(self) -> Provider:
        """Needs nothing."""
        return OllamaProvider()

    def model(self, url: str, *, concurrency: int = 1) -> Model:
        """A model on the server at `url`."""
        return _model(self.name, "devstral:latest", host=url, concurrency=str(concurrency))

    def reply(self, play: Play) -> Reply:
        """Thoughts are shown; this API has no way to omit them."""
        server = ollama_server
        tokens = [server.thinking(WORD, at_s) for at_s in play.thinking_s]
        tokens += [server.text(WORD, at_s) for at_s in play.visible_s]
        count = len(play.moments_s)
        closing = [server.done("stop", play.moments_s[-1], eval_count=count, eval_duration=0)]
        return server.stream(_spread([], tokens, closing, play))

    def sent_s(self, play: Play, sent_s: Sequence[float]) -> list[float]:
        """Before the closing one."""
        return list(sent_s[:-1])


DIALECTS: tuple[Dialect, ...] = (Anthropic(), OpenAI(), Ollama())


def _model(provider: str, name: str, **parameters: str) -> Model:
    return Model(provider, provider, name, parameters)
