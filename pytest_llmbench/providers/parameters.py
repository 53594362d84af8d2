"""A model spec's parameters, read into typed values; whatever cannot be right is one clear line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pytest_llmbench.models import Model, ModelSpecError, refuse_secret

T = TypeVar("T")

_WORDS: Mapping[str, bool] = {
    "true": True,
    "yes": True,
    "1": True,
    "false": False,
    "no": False,
    "0": False,
}


def read_parameters(model: Model, readers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """The values of the parameters that the spec gives, each read by the reader of its name.

    A reader raises ValueError with what it wants, as in "a whole number". Raises ModelSpecError.
    """
    values = {}
    for name, text in model.parameters.items():
        refuse_secret(model.bare_spec, name, text)
        if name not in readers:
            raise ModelSpecError(_unknown(model, name, readers))
        try:
            values[name] = readers[name](text)
        except ValueError as wanted:
            raise ModelSpecError(
                f"{model.bare_spec}: {name} must be {wanted}, not {text!r}"
            ) from None
    return values


def _unknown(model: Model, name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return (
        f"{model.bare_spec}: {model.provider} knows no parameter {name!r}{hint}; "
        f"it knows {', '.join(sorted(known))}"
    )


def yes_or_no(text: str) -> bool:
    """True or False."""
    if text.lower() not in _WORDS:
        raise ValueError("true or false")
    return _WORDS[text.lower()]


def whole_number(least: int) -> Callable[[str], int]:
    """A reader of whole numbers of at least `least`."""

    def read(text: str) -> int:
        wanted = f"a whole number of at least {least}"
        try:
            number = int(text)
        except ValueError:
            raise ValueError(wanted) from None
        if number < least:
            raise ValueError(wanted)
        return number

    return read


def number(least: float, most: float) -> Callable[[str], float]:
    """A reader of numbers from `least` to `most`."""

    def read(text: str) -> float:
        wanted = f"a number from {least:g} to {most:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(wanted) from None
        if not least <= value <= most:
            raise ValueError(wanted)
        return value

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one of `words`."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return text

    return read


def base_url(text: str) -> str:
    """A URL with a scheme, without a slash at its end."""
    if not text.startswith(("http://", "https://")):
        raise ValueError("a URL that begins with http:// or https://")
    return text.rstrip("/")
