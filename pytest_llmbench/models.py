"""Which models: specs, parameters, aliases, groups."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

BUILT_IN_MODELS: Mapping[str, str | Sequence[str]] = {
    "sonnet": "anthropic/claude-sonnet-5-5",
    "opus": "anthropic/claude-opus-5-5",
    "haiku": "anthropic/claude-haiku-5-5",
    "codestral": "ollama/codestral:22b",
    "deepseek-r1": "ollama/deepseek-r1:14b",
    "devstral": "ollama/devstral:latest",
    "qwen3.5": "ollama/qwen3.5:35b-a3b",
    "gemma4": "ollama/gemma4:latest",
    "kimi-k2.6": "moonshot/kimi-k2.6",
    "reference": "offline/reference",
    "junk": "offline/junk",
    "demo-argparse": "demo/argparse",
    "demo-argv": "demo/argv",
    "demo-minimal": "demo/minimal",
    "demo-menu": "demo/menu",
    "demo-thinking-menu": "demo/thinking-menu",
    "demo-cut-off": "demo/cut-off",
    "demo": (
        "demo-argparse",
        "demo-argv",
        "demo-minimal",
        "demo-menu",
        "demo-thinking-menu",
        "demo-cut-off",
    ),
}
"""Alias → spec, or group → aliases and specs."""


_SECRET_NAME = re.compile(r"key(?!_env\b)|token(?!s)|secret|passw|authorization", re.IGNORECASE)

_LONGEST_NAME = 30

_ADDRESSES = ("base_url", "host")
"""Parameters that say where a server is."""


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
        return self.bare_spec + (f"?{query}" if query else "")

    @property
    def bare_spec(self) -> str:
        """`provider/name`: what a message may tell, whatever the parameters hold."""
        return f"{self.provider}/{self.name}"


def resolve_models(
    names: Iterable[str],
    *,
    providers: Sequence[str],
    configured: Mapping[str, str | Sequence[str]],
) -> tuple[Model, ...]:
    """What the user asked for, group by group, alias by alias; each label once.

    `configured` holds the project's own aliases and groups, which win over the built-in ones.
    Raises ModelSpecError.
    """
    table = {**BUILT_IN_MODELS, **configured}
    models: dict[str, Model] = {}
    for name in names:
        for model in _expand(name.strip(), table, providers, within=()):
            models.setdefault(model.label, model)
    if not models:
        raise ModelSpecError("that is a group without a model")
    return tuple(models.values())


def suggest_alias(model: Model, configured: Mapping[str, str | Sequence[str]]) -> str | None:
    """The known name that a bare name may have been meant to be; None when there is none.

    A bare name that is no alias is an Ollama model, so a slip of the hand is one as well.
    """
    if model.label != model.name or model.provider != "ollama":
        return None
    return _nearest(model.label, [*BUILT_IN_MODELS, *configured])


def _expand(
    name: str,
    table: Mapping[str, str | Sequence[str]],
    providers: Sequence[str],
    within: tuple[str, ...],
) -> Iterable[Model]:
    _refuse_secrets(name)
    alias, _, query = name.partition("?")
    target = table.get(alias)
    if target is None:
        yield _parse_spec(name, name, providers)
    elif alias in within:
        raise ModelSpecError(f"{within[0]!r} is an alias of itself: {' → '.join((*within, alias))}")
    elif isinstance(target, str):
        for model in _expand(_join(target, query), table, providers, (*within, alias)):
            checked_label(name)
            yield Model(name, model.provider, model.name, model.parameters)
    else:
        for member in target:
            yield from _expand(_join(member, query), table, providers, (*within, alias))


def _join(spec: str, query: str) -> str:
    if not query:
        return spec
    return f"{spec}{'&' if '?' in spec else '?'}{query}"


def _parse_spec(label: str, spec: str, providers: Sequence[str]) -> Model:
    checked_label(label)
    path, _, query = spec.partition("?")
    provider, slash, name = path.partition("/")
    if not slash:
        provider, name = "ollama", path
    if provider not in providers:
        raise ModelSpecError(_unknown_provider(path, provider, providers))
    if not name:
        what = "PATH" if provider == "file" else "MODEL"
        raise ModelSpecError(f"{path!r} names no model: write {provider}/{what}")
    return Model(label, provider, name, _parse_parameters(path, query))


def _refuse_secrets(spec: str) -> None:
    """Raise ModelSpecError, without what is secret, before a label or a header can show it."""
    path, _, query = spec.partition("?")
    if "://" in path and "@" in path:
        raise ModelSpecError(
            "a model name that is a URL with a user name or password; "
            "write provider/MODEL?base_url=URL, and set what is secret in an environment variable"
        )
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        refuse_secret(path, name, value)


def refuse_secret(who: str, name: str, value: str) -> None:
    """Raise ModelSpecError, without the value, for a parameter that is or holds a secret."""
    if _SECRET_NAME.search(name):
        # The name may be the end of a secret that had an & in it.
        shown = name if name.isidentifier() and len(name) <= _LONGEST_NAME else "a parameter"
        raise ModelSpecError(
            f"{who}: {shown} looks like a secret; set it in an environment variable"
        )
    if name in _ADDRESSES and "@" in value:
        raise ModelSpecError(
            f"{who}: {name} must not hold a user name or password; "
            "set what is secret in an environment variable"
        )
    if name in _ADDRESSES and ("?" in value or "#" in value):
        raise ModelSpecError(
            f"{who}: {name} must end with its path, without a ? or # and what follows; "
            "set what is secret in an environment variable"
        )


def _unknown_provider(spec: str, provider: str, providers: Sequence[str]) -> str:
    near = _nearest(provider, providers)
    guess = f"did you mean {near!r}? " if near else ""
    return (
        f"{spec!r}: there is no provider {provider!r}; {guess}"
        f"known are {', '.join(sorted(providers))}; "
        f"a model of Ollama with a slash in its name is ollama/{spec}"
    )


def _parse_parameters(path: str, query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for number, pair in enumerate(query.split("&") if query else (), 1):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise ModelSpecError(
                f"{path!r}: parameter {number} has no name or no value; write key=value&key=value"
            )
        parameters[key] = value
    return parameters


def checked_label(label: str) -> str:
    """The label itself, if it can stand in a test id. Raises ModelSpecError."""
    if not label:
        raise ModelSpecError("an empty model name; write for example devstral,sonnet")
    path, query, _ = label.partition("?")
    path += "?…" if query else ""
    if flaw := find_flaw(label):
        raise ModelSpecError(
            f"{path!r} {flaw}; give the model an alias in [tool.llmbench.models] and use that"
        )
    return label


def find_flaw(name: str) -> str | None:
    """Why a name cannot stand in a test id: "holds …"; None when it can."""
    for bad in ("::", "[", "]"):
        if bad in name:
            return f"holds {bad!r}, which pytest needs for itself"
    if any(each.isspace() or not each.isprintable() for each in name):
        return "holds white space or control characters"
    return None


def _nearest(name: str, known: Iterable[str]) -> str | None:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return near[0] if near else None
