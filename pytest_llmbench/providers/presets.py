"""Servers that speak the OpenAI dialect: one row each, and what a model spec makes of a row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers.http import kind_of, usual_concurrency
from pytest_llmbench.providers.parameters import (
    base_url,
    number,
    one_of,
    read_parameters,
    whole_number,
)
from pytest_llmbench.providers.protocol import Endpoint

Api: TypeAlias = Literal["chat", "responses"]
LimitField: TypeAlias = Literal["max_tokens", "max_completion_tokens"]

EXTRA = "extra."

_OWN_FIELDS = frozenset(
    {
        "input",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "stream",
    }
)
"""What a request says by itself; a spec that changed it would spoil what is measured."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of server, as far as it differs from the others."""

    name: str
    base_url: str
    key_env: str
    """The environment variable that holds the key. A local server needs none."""
    start: str = ""
    """How a person starts this server; empty for those that others run."""
    api: Api = "chat"
    limit_field: LimitField = "max_tokens"
    """What the limit on output is called in chat completions."""
    asks_for_usage: bool = True
    """Whether `stream_options` is sent; some count unasked, and refuse to be asked."""
    fixed_sampling: str = ""
    """Models whose names begin like this take no `temperature` and no `top_p`."""


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "openai",
            "https://api.openai.com/v1",
            "OPENAI_API_KEY",
            api="responses",
            limit_field="max_completion_tokens",
        ),
        Preset(
            "moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", fixed_sampling="kimi-"
        ),
        Preset("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        Preset("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", asks_for_usage=False),
        Preset("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        Preset("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        Preset(
            "gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"
        ),
        Preset("vllm", "http://localhost:8000/v1", "VLLM_API_KEY", start="vllm serve {model}"),
        Preset("lmstudio", "http://localhost:1234/v1", "LM_API_TOKEN", start="lms server start"),
        Preset(
            "llamacpp",
            "http://localhost:8080/v1",
            "LLAMA_API_KEY",
            start="llama-server -m {model}.gguf --alias {model}",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Target:
    """One model on one server, and how it is asked: a spec, understood."""

    preset: Preset
    model: str
    endpoint: Endpoint
    api: Api
    limit_field: LimitField
    key_env: str | None
    """The variable that holds the key; None when no key is sent."""
    key_required: bool
    sampling: Mapping[str, float | int] = field(default_factory=dict)
    """`temperature`, `top_p`, `seed`, as far as they are given."""
    reasoning_effort: str | None = None
    service_tier: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the request's body, in the server's own words."""

    @property
    def is_default_server(self) -> bool:
        """Whether this is the server that the preset stands for."""
        return self.endpoint.address == self.preset.base_url


def resolve_target(preset: Preset, model: Model) -> Target:
    """What a spec asks for. Pure. Raises ModelSpecError."""
    if not model.name:
        raise ModelSpecError(f"{model.bare_spec}: which model? Write {preset.name}/<model>")
    _check_key_env(model)
    given = read_parameters(model, _readers(model))
    address = given.get("base_url", preset.base_url)
    at_home = address == preset.base_url
    kind = kind_of(address)
    target = Target(
        preset=preset,
        model=model.name,
        endpoint=Endpoint(
            address=address,
            kind=kind,
            concurrency=given.get("concurrency", usual_concurrency(address)),
        ),
        api=given.get("api", preset.api if at_home else "chat"),
        limit_field=preset.limit_field if at_home else "max_tokens",
        # The preset's own key goes to the preset's own server, and nowhere else unasked.
        key_env=given.get("key_env", preset.key_env if at_home else None),
        key_required="key_env" in given or (at_home and kind == "cloud"),
        sampling={name: given[name] for name in ("temperature", "top_p", "seed") if name in given},
        reasoning_effort=given.get("reasoning_effort"),
        service_tier=given.get("service_tier"),
        extra=_nest({n: v for n, v in given.items() if n.startswith(EXTRA)}),
    )
    _check(target, model)
    return target


def _check_key_env(model: Model) -> None:
    """Whoever wrote a key into a spec shall not read it in a message or a report."""
    if not re.fullmatch(r"[A-Za-z_]\w*", model.parameters.get("key_env", "_"), re.ASCII):
        raise ModelSpecError(
            f"{model.bare_spec}: key_env must be the name of the environment variable "
            "that holds the key"
        )


def _check(target: Target, model: Model) -> None:
    taken = _OWN_FIELDS & target.extra.keys()
    if taken:
        raise ModelSpecError(
            f"{model.bare_spec}: the field {min(taken)} is the benchmark's own; "
            f"leave out {EXTRA}{min(taken)}"
        )
    fixed = target.preset.fixed_sampling
    if fixed and target.model.startswith(fixed):
        for name in ("temperature", "top_p"):
            if name in target.sampling:
                raise ModelSpecError(
                    f"{model.bare_spec}: {name} is fixed by the server for {fixed}… models; "
                    "leave it out"
                )
    if target.api == "responses" and "seed" in target.sampling:
        raise ModelSpecError(f"{model.bare_spec}: the responses API takes no seed; add api=chat")


def _readers(model: Model) -> dict[str, Callable[[str], Any]]:
    extra = [name for name in model.parameters if re.fullmatch(r"extra(\.\w+)+", name)]
    return {
        "api": one_of("chat", "responses"),
        "base_url": base_url,
        "concurrency": whole_number(1),
        "key_env": str,
        "reasoning_effort": _word,
        "seed": whole_number(0),
        "service_tier": _word,
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "extra.<field>": _own_name,
        **dict.fromkeys(extra, _json_or_text),
    }


def _word(text: str) -> str:
    if not text:
        raise ValueError("a word")
    return text


def _own_name(_text: str) -> str:
    raise ValueError("written with the field's own name, as in extra.min_p=0.1")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`extra.a.b` = 1 as `{"a": {"b": 1}}`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split(".")[1:]
        branch = tree
        for folder in folders:
            inner = branch.setdefault(folder, {})
            branch[folder] = branch = inner if isinstance(inner, dict) else {}
        branch[name] = value
    return tree
