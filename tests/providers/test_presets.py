"""The table of servers, and what specs make of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers.openai import openai_providers
from pytest_llmbench.providers.presets import PRESETS, Target, resolve_target
from pytest_llmbench.providers.protocol import Endpoint

SELF_HOSTED = {"base_url": "http://localhost:8000/v1"}


def resolve(provider: str, name: str = "m", parameters: Mapping[str, str] | None = None) -> Target:
    return resolve_target(PRESETS[provider], Model("label", provider, name, parameters or {}))


@pytest.mark.parametrize(
    ("provider", "address", "key_env"),
    [
        ("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
        ("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        ("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        ("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        ("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "GEMINI_API_KEY",
        ),
    ],
)
def test_clouds_need_their_key_and_take_four_requests(
    provider: str, address: str, key_env: str
) -> None:
    target = resolve(provider)

    assert target.endpoint == Endpoint(address, "cloud", 4)
    assert (target.key_env, target.key_required) == (key_env, True)


@pytest.mark.parametrize(
    ("provider", "address"),
    [
        ("vllm", "http://localhost:8000/v1"),
        ("lmstudio", "http://localhost:1234/v1"),
        ("llamacpp", "http://localhost:8080/v1"),
    ],
)
def test_local_servers_need_no_key_and_take_one_request(provider: str, address: str) -> None:
    target = resolve(provider)

    assert target.endpoint == Endpoint(address, "local", 1)
    assert not target.key_required


def test_each_row_is_a_provider() -> None:
    assert [provider.name for provider in openai_providers()] == [
        "openai",
        "moonshot",
        "deepseek",
        "mistral",
        "openrouter",
        "groq",
        "gemini",
        "vllm",
        "lmstudio",
        "llamacpp",
    ]


def test_a_server_of_ones_own_gets_no_key_unasked() -> None:
    """The key of the preset's own server is nobody else's business."""
    target = resolve("openai", parameters=SELF_HOSTED)

    assert target.endpoint == Endpoint("http://localhost:8000/v1", "local", 1)
    assert (target.key_env, target.key_required) == (None, False)


def test_a_key_that_is_named_is_needed() -> None:
    china = {"base_url": "https://api.moonshot.cn/v1", "key_env": "MOONSHOT_CN_KEY"}
    target = resolve("moonshot", parameters=china)

    assert target.endpoint.kind == "cloud"
    assert (target.key_env, target.key_required) == ("MOONSHOT_CN_KEY", True)


def test_only_openai_itself_is_asked_over_the_responses_api() -> None:
    assert resolve("openai").api == "responses"
    assert resolve("openai", parameters={"api": "chat"}).api == "chat"
    assert resolve("openai", parameters=SELF_HOSTED).api == "chat"
    assert resolve("openai", parameters={**SELF_HOSTED, "api": "responses"}).api == "responses"
    assert resolve("groq").api == "chat"


def test_the_limit_has_a_new_name_at_openai_alone() -> None:
    assert resolve("openai").limit_field == "max_completion_tokens"
    assert resolve("openai", parameters=SELF_HOSTED).limit_field == "max_tokens"
    assert resolve("mistral").limit_field == "max_tokens"


def test_parameters_are_typed() -> None:
    target = resolve(
        "vllm",
        parameters={
            "temperature": "0.2",
            "top_p": "0.9",
            "seed": "7",
            "reasoning_effort": "high",
            "service_tier": "flex",
            "concurrency": "16",
        },
    )

    assert target.sampling == {"temperature": 0.2, "top_p": 0.9, "seed": 7}
    assert (target.reasoning_effort, target.service_tier) == ("high", "flex")
    assert target.endpoint.concurrency == 16


def test_extra_fields_are_nested_and_read_as_json() -> None:
    target = resolve(
        "vllm",
        parameters={
            "extra.chat_template_kwargs.enable_thinking": "false",
            "extra.chat_template_kwargs.level": "2",
            "extra.reasoning_format": "parsed",
        },
    )

    assert target.extra == {
        "chat_template_kwargs": {"enable_thinking": False, "level": 2},
        "reasoning_format": "parsed",
    }


@pytest.mark.parametrize(
    ("provider", "name", "parameters", "message"),
    [
        (
            "openai",
            "m",
            {"temprature": "0"},
            "openai/m: openai knows no parameter 'temprature' (did you mean "
            "temperature?); it knows api, base_url, concurrency, extra.<field>, key_env, "
            "reasoning_effort, seed, service_tier, temperature, top_p",
        ),
        (
            "groq",
            "m",
            {"temperature": "hot"},
            "groq/m: temperature must be a number from 0 to 2, not 'hot'",
        ),
        (
            "vllm",
            "m",
            {"base_url": "localhost:8000"},
            "vllm/m: base_url must be a URL that begins with http:// or "
            "https://, not 'localhost:8000'",
        ),
        (
            "openai",
            "m",
            {"api": "completions"},
            "openai/m: api must be one of chat, responses, not 'completions'",
        ),
        (
            "openai",
            "m",
            {"seed": "1"},
            "openai/m: the responses API takes no seed; add api=chat",
        ),
        (
            "moonshot",
            "kimi-k2.6",
            {"temperature": "0.7"},
            "moonshot/kimi-k2.6: temperature is fixed by the server for kimi-… "
            "models; leave it out",
        ),
        ("vllm", "", {}, "vllm/: which model? Write vllm/<model>"),
        (
            "openai",
            "m",
            {"key_env": "sk-live-123"},
            "openai/m: key_env must be the name of the environment variable that holds the key",
        ),
        (
            "openai",
            "m",
            {"base_url": "https://me:secret@gpu.example.com/v1"},
            "openai/m: base_url must not hold a user name or password; set what is secret in an "
            "environment variable",
        ),
        (
            "vllm",
            "m",
            {"extra.stream": "false"},
            "vllm/m: the field stream is the benchmark's own; leave out extra.stream",
        ),
        (
            "vllm",
            "m",
            {"extra.<field>": "1"},
            "vllm/m: extra.<field> must be written with the field's own name, as "
            "in extra.min_p=0.1, not '1'",
        ),
    ],
)
def test_what_cannot_be_right_is_one_line(
    provider: str, name: str, parameters: Mapping[str, str], message: str
) -> None:
    with pytest.raises(ModelSpecError) as raised:
        resolve(provider, name, parameters)

    assert str(raised.value) == message


def test_other_models_of_moonshot_take_a_temperature() -> None:
    target = resolve("moonshot", "moonshot-v1-8k", {"temperature": "0"})

    assert target.sampling == {"temperature": 0.0}


def test_the_documentation_has_the_same_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "openai-compatible.md"
    rows = [line for line in page.read_text("utf-8").splitlines() if "| `http" in line]

    assert len(rows) == len(PRESETS)
    for row, preset in zip(rows, PRESETS.values(), strict=True):
        assert row.startswith(f"| `{preset.name}/")
        assert f"| `{preset.base_url}` | `{preset.key_env}`" in row
