"""What a look at a server tells of a model: nothing is loaded, nothing is generated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asking import PATIENCE
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.anthropic import AnthropicProvider
from pytest_llmbench.providers.ollama import OllamaProvider
from pytest_llmbench.providers.ollama_memory import count_cache_bytes_per_token
from pytest_llmbench.providers.openai import OpenAIProvider
from pytest_llmbench.providers.presets import PRESETS
from pytest_llmbench.providers.protocol import (
    Archive,
    Facts,
    Inspectable,
    Provider,
    ProviderError,
)
from wire import Asked, Reply, WireServer, json_reply

REQUEST = Request(messages=(Message("user", "Write a todo app."),), max_tokens=16_384)

GEMMA = {
    "general.architecture": "gemma4",
    "gemma4.block_count": 60,
    "gemma4.attention.head_count": 32,
    "gemma4.attention.head_count_kv": 16,
    "gemma4.attention.key_length": 128,
    "gemma4.attention.value_length": 128,
    "gemma4.context_length": 262_144,
}


class Listing(WireServer):
    """Answers the paths that are given, and nothing else."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        super().__init__(lambda asked: replies.get(asked.path, Reply(status=404)))


def ollama(*, loaded: bool = False, num_ctx: int = 20_480) -> Listing:
    """An Ollama server with one model."""
    entry = {
        "name": "gemma4:31b",
        "model": "gemma4:31b",
        "digest": "abc",
        "size": 19_868_000_000,
        "details": {"quantization_level": "Q4_K_M", "family": "gemma4"},
    }
    memory = {"size": 24_000_000_000, "size_vram": 18_000_000_000, "context_length": num_ctx}
    return Listing(
        {
            "/api/show": json_reply({"details": entry["details"], "model_info": GEMMA}),
            "/api/tags": json_reply({"models": [entry]}),
            "/api/ps": json_reply({"models": [{**entry, **memory}] if loaded else []}),
        }
    )


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, and nothing of the machine's own set-up."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OLLAMA_HOST", "OLLAMA_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def inspect(provider: Provider, name: str, **parameters: str) -> Facts:
    session = provider.open(Model("m", provider.name, name, parameters))
    assert isinstance(session, Inspectable)
    assert not isinstance(session, Archive)
    try:
        return session.inspect(REQUEST, PATIENCE)
    finally:
        session.close()


def test_ollama_tells_size_context_and_what_the_context_takes() -> None:
    with ollama() as server:
        facts = inspect(OllamaProvider(), "gemma4:31b", host=server.url)
        asked = {each.path for each in server.asked}
    assert facts == Facts(
        has_key=False,
        listed=True,
        quantization="Q4_K_M",
        size_bytes=19_868_000_000,
        cache_bytes_per_token=60 * 16 * (128 + 128) * 2,
        context_length=20_480,
        longest_context=262_144,
    )
    assert asked == {"/api/show", "/api/tags", "/api/ps"}


def test_ollama_tells_what_a_loaded_model_takes_now() -> None:
    with ollama(loaded=True) as server:
        facts = inspect(OllamaProvider(), "gemma4:31b", host=server.url, num_ctx="8192")
    assert (facts.loaded_bytes, facts.loaded_gpu_bytes) == (24_000_000_000, 18_000_000_000)
    assert facts.context_length == 8_192


def test_a_model_that_was_not_pulled_is_told_with_the_remedy() -> None:
    missing = json_reply({"error": "model 'qwen3.5:35b' not found"}, status=404)
    with Listing({"/api/show": missing}) as server, pytest.raises(ProviderError) as caught:
        inspect(OllamaProvider(), "qwen3.5:35b", host=server.url)
    assert caught.value.kind == "model"
    assert str(caught.value).endswith("; run `ollama pull qwen3.5:35b`")


def test_a_server_that_is_not_there_is_told_with_the_remedy() -> None:
    with Listing({}) as server:
        gone = server.url
    with pytest.raises(ProviderError) as caught:
        inspect(OllamaProvider(), "devstral", host=gone)
    assert str(caught.value) == (
        f"ollama/devstral: no Ollama server at {gone}; is `ollama serve` running?"
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 60 * 16 * 256 * 2),
        ({"gemma4.attention.head_count_kv": None}, None),
        ({"gemma4.block_count": None}, None),
        (
            {
                "gemma4.attention.key_length": None,
                "gemma4.attention.value_length": None,
                "gemma4.embedding_length": 4_096,
            },
            60 * 16 * (2 * 4_096 // 32) * 2,
        ),
    ],
    ids=["all is told", "heads differ by layer", "no layers", "lengths follow from the width"],
)
def test_the_cache_is_counted_from_layers_heads_and_lengths(
    change: dict[str, Any], expected: int | None
) -> None:
    assert count_cache_bytes_per_token({**GEMMA, **change}) == expected


def test_a_family_without_grouped_heads_caches_all_heads() -> None:
    facts = {key: value for key, value in GEMMA.items() if not key.endswith("head_count_kv")}
    assert count_cache_bytes_per_token(facts) == 60 * 32 * 256 * 2


def test_a_server_in_the_openai_dialect_tells_context_and_size() -> None:
    entry = {"id": "qwen", "meta": {"n_ctx": 32_768, "size": 4_000_000_000}}
    with Listing({"/v1/models": json_reply({"data": [entry]})}) as server:
        facts = inspect(OpenAIProvider(PRESETS["llamacpp"]), "qwen", base_url=f"{server.url}/v1")
        asked = [each.path for each in server.asked]
    assert facts == Facts(
        has_key=False, listed=True, size_bytes=4_000_000_000, context_length=32_768
    )
    assert asked == ["/v1/models"]


def test_a_server_that_lists_no_models_is_reachable_and_tells_nothing() -> None:
    with Listing({}) as server:
        facts = inspect(OpenAIProvider(PRESETS["vllm"]), "qwen", base_url=f"{server.url}/v1")
    assert facts == Facts(has_key=False)


def test_a_model_that_a_server_at_home_does_not_list_is_told() -> None:
    listing = {"/v1/models": json_reply({"data": [{"id": "qwen"}]})}
    with Listing(listing) as server, pytest.raises(ProviderError) as caught:
        inspect(OpenAIProvider(PRESETS["vllm"]), "qwem", base_url=f"{server.url}/v1")
    assert caught.value.kind == "model"
    assert "qwen" in str(caught.value)


def test_anthropic_tells_the_longest_answer_and_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-made-up")
    info = {
        "id": "claude-x",
        "type": "model",
        "display_name": "Claude X",
        "created_at": "2026-10-01T00:00:00Z",
        "max_tokens": 64_000,
        "max_input_tokens": 200_000,
    }

    def describe(asked: Asked) -> Reply:
        assert asked.method == "GET"
        return json_reply(info)

    with WireServer(describe) as server:
        facts = inspect(AnthropicProvider(), "claude-x", base_url=server.url)
    assert facts == Facts(has_key=True, listed=True, longest_context=200_000, longest_answer=64_000)


def test_a_key_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-made-up")
    error = {"type": "error", "error": {"type": "authentication_error", "message": "bad key"}}
    with (
        WireServer(lambda _: json_reply(error, status=401)) as server,
        pytest.raises(ProviderError) as caught,
    ):
        inspect(AnthropicProvider(), "claude-x", base_url=server.url)
    assert str(caught.value).endswith("; check the key in ANTHROPIC_API_KEY")
    assert "made-up" not in str(caught.value)
