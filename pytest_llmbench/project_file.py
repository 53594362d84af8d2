"""`[tool.llmbench]` of pyproject.toml, and llmbench.toml with the same keys over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_llmbench.prices import OwnPrice
from pytest_llmbench.settings import SettingsError

_PRICE_KEYS = ("input", "output", "cached_input")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """What a project says of its models."""

    models: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """Its own aliases and groups."""
    prices: Mapping[str, OwnPrice] = field(default_factory=dict)
    """`provider/model` → its own price."""
    tariff: float | None = None
    """What a kWh costs, in the user's currency; None when it is not given."""


def read_project_file(root: Path) -> ProjectFile:
    """Both files of the folder, as far as they are there. Raises SettingsError."""
    models: dict[str, str | list[str]] = {}
    prices: dict[str, OwnPrice] = {}
    tariff = None
    for file in (root / "pyproject.toml", root / "llmbench.toml"):
        own = _read_own_table(file) if file.is_file() else {}
        for key, value in own.items():
            match key:
                case "models":
                    models.update(_check_models(file, value))
                case "prices":
                    prices.update(_check_prices(file, value))
                case "tariff":
                    tariff = _check_tariff(file, value)
                case _:
                    raise SettingsError(
                        f"{file.name}: llmbench has no key {key!r}; "
                        "it knows `models`, `prices` and `tariff`"
                    )
    return ProjectFile(models, prices, tariff)


def _read_own_table(file: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}") from None
    tools = table.get("tool", {})
    own = tools.get("llmbench", {}) if isinstance(tools, dict) else None
    if file.name == "llmbench.toml" and not own:
        own = table
    if not isinstance(own, dict):
        raise SettingsError(f"{file.name}: `tool.llmbench` must be a table")
    return own


def _check_models(file: Path, models: Any) -> dict[str, str | list[str]]:
    if not isinstance(models, dict):
        raise SettingsError(f"{file.name}: llmbench's `models` must be a table of names")
    for name, target in models.items():
        listed = isinstance(target, list) and all(isinstance(each, str) for each in target)
        if not listed and not isinstance(target, str):
            raise SettingsError(
                f"{file.name}: model {name!r} is {target!r}; "
                'expected a spec such as "ollama/devstral", or a list of names'
            )
    return models


def _check_prices(file: Path, prices: Any) -> dict[str, OwnPrice]:
    if not isinstance(prices, dict):
        raise SettingsError(f"{file.name}: llmbench's `prices` must be a table of models")
    return {name: _check_price(file, name, price) for name, price in prices.items()}


def _check_price(file: Path, name: str, price: Any) -> OwnPrice:
    known = isinstance(price, dict) and {"input", "output"} <= price.keys() <= {*_PRICE_KEYS}
    if "/" not in name or not known or not all(map(_is_amount, price.values())):
        raise SettingsError(
            f"{file.name}: the price of {name!r} is {price!r}; expected "
            '"provider/model" = {input = 3.0, output = 15.0}, in USD per million tokens, '
            "and cached_input if it differs"
        )
    return OwnPrice(**{key: float(usd) for key, usd in price.items()})


def _check_tariff(file: Path, tariff: Any) -> float:
    if not _is_amount(tariff):
        raise SettingsError(
            f"{file.name}: llmbench's `tariff` is {tariff!r}; expected what a kWh costs, as 0.30"
        )
    return float(tariff)


def _is_amount(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < float("inf")
