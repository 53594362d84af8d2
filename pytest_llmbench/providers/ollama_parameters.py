"""The parameters of an Ollama model's spec."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers.parameters import number, read_parameters, whole_number, yes_or_no

DEFAULT_PORT = 11434

_THINK_LEVELS = ("low", "medium", "high", "max")


def _think(text: str) -> bool | str:
    if text in _THINK_LEVELS:
        return text
    try:
        return yes_or_no(text)
    except ValueError:
        raise ValueError(f"true, false, {', '.join(_THINK_LEVELS)}") from None


def _keep_alive(text: str) -> str | float:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if re.fullmatch(r"-?(\d+(\.\d+)?(ms|s|m|h))+", text):
        return text
    raise ValueError("a duration such as 10m, or seconds")


def _address(text: str) -> str:
    """The base URL that an address means: `host`, `host:port`, `:port` or a URL."""
    given_scheme, separator, rest = text.partition("://")
    scheme, rest = (given_scheme, rest) if separator else ("http", text)
    url = urlsplit(f"{scheme}://{rest}")
    host, port = url.hostname or "127.0.0.1", url.port
    if port is None:
        port = {"http": 80, "https": 443}.get(scheme) if separator else DEFAULT_PORT
    if scheme not in ("http", "https") or port is None:
        raise ValueError("host, host:port or a URL")
    if host in ("0.0.0.0", "::"):  # noqa: S104  # where servers listen is where nobody can ask
        host = "127.0.0.1"
    login = f"{url.netloc.rpartition('@')[0]}@" if "@" in url.netloc else ""
    bracketed = f"[{host}]" if ":" in host else host
    return f"{scheme}://{login}{bracketed}:{port}{url.path.rstrip('/')}"


_OPTIONS = {
    "num_ctx": whole_number(1),
    "seed": whole_number(0),
    "temperature": number(0, 5),
    "top_k": whole_number(0),
    "top_p": number(0, 1),
}

_READERS = {
    **_OPTIONS,
    "base_url": _address,
    "cold": yes_or_no,
    "concurrency": whole_number(1),
    "host": _address,
    "keep_alive": _keep_alive,
    "think": _think,
}


@dataclass(frozen=True, slots=True)
class OllamaWishes:
    """A spec's parameters, typed."""

    name: str

    address: str
    concurrency: int
    cold: bool
    think: bool | str | None
    """None leaves it to the server."""
    keep_alive: str | float | None
    options: Mapping[str, int | float]

    @property
    def remote(self) -> bool:
        """Whether Ollama only passes the question on to its cloud."""
        host = urlsplit(self.address).hostname
        return host == "ollama.com" or self.name.endswith((":cloud", "-cloud"))


def read_wishes(model: Model) -> OllamaWishes:
    """What a spec wishes. Raises ModelSpecError."""
    given = read_parameters(model, _READERS)
    if "host" in given and "base_url" in given:
        raise ModelSpecError(f"{model.bare_spec}: host and base_url mean the same; give one")
    address = given.get("host") or given.get("base_url")
    if address is None:
        try:
            address = _address(os.environ.get("OLLAMA_HOST", ""))
        except ValueError as wanted:
            raise ModelSpecError(f"{model.bare_spec}: OLLAMA_HOST must be {wanted}") from None
    return OllamaWishes(
        name=model.name,
        address=address,
        concurrency=given.get("concurrency", 1),
        cold=given.get("cold", False),
        think=given.get("think"),
        keep_alive=given.get("keep_alive"),
        options={name: given[name] for name in _OPTIONS if name in given},
    )
