"""The options: one table, read once into a frozen value."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RECORD_MODES = ("all", "new_episodes", "none")
"""In the words of pytest-recording: always ask, ask for what is missing, never ask."""


class SettingsError(ValueError):
    """A setting that cannot be used; its text is one line for a person."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option, its ini twin and its meaning."""

    name: str
    """`models` for `--llm-models` and `llm_models`."""
    metavar: str
    help: str
    parse: Callable[[str], Any]
    """Text to value; raises ValueError with what is expected."""
    default: Any
    repeatable: bool = False
    """May be given several times, each a comma-separated list."""

    @property
    def flag(self) -> str:
        """As typed on the command line."""
        return f"--llm-{self.name.replace('_', '-')}"

    @property
    def ini(self) -> str:
        """As written in an ini file; also where argparse puts it."""
        return f"llm_{self.name}"


def _parse_positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _parse_positive_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError
    return seconds


def _parse_score(text: str) -> float:
    score = float(text)
    if not 0 <= score <= 100:  # noqa: PLR2004  # a score is out of 100
        raise ValueError
    return score


def _parse_record_mode(text: str) -> str:
    if text not in RECORD_MODES:
        raise ValueError
    return text


OPTIONS: tuple[Option, ...] = (
    Option(
        "models",
        "MODEL,…",
        "models to test: aliases, groups, or provider/model?key=value",
        str,
        (),
        repeatable=True,
    ),
    Option("samples", "N", "answers to ask for, each model and prompt", _parse_positive_int, 1),
    Option(
        "prompts",
        "NAME,…",
        "prompt variants to run, by name; `all` runs all",
        str,
        (),
        repeatable=True,
    ),
    Option(
        "max_tokens",
        "N",
        "most tokens of an answer, thinking included; overrides the tasks' own",
        _parse_positive_int,
        None,
    ),
    Option(
        "timeout",
        "SECONDS",
        "longest wait for one whole answer",
        _parse_positive_seconds,
        600.0,
    ),
    Option(
        "recordings",
        "FOLDER",
        "where every answer is recorded; .llmbench beside the settings file unless given",
        str,
        None,
    ),
    Option(
        "record_mode",
        "MODE",
        "all: ask for every answer; new_episodes: ask for what is not recorded; none: ask nothing",
        _parse_record_mode,
        "all",
    ),
    Option("sandbox", "NAME", "where the answers' programs run: auto, or a name", str, "auto"),
    Option(
        "fail_under",
        "SCORE",
        "score that an item must reach to pass, 0 to 100",
        _parse_score,
        100.0,
    ),
    Option(
        "report",
        "FILE",
        "write a report; its suffix chooses the format",
        str,
        (),
        repeatable=True,
    ),
)
"""The one table; `plugin` registers it, `docs/reference/options.md` is made from it."""

EXPECTED: Mapping[Callable[[str], Any], str] = {
    _parse_positive_int: "a whole number of at least 1",
    _parse_positive_seconds: "a number of seconds above 0",
    _parse_score: "a number from 0 to 100",
    _parse_record_mode: " or ".join(RECORD_MODES),
    str: "a text",
}

DEFAULT_MAX_TOKENS = 16_384


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for."""

    models: tuple[str, ...]
    samples: int
    prompts: tuple[str, ...]
    max_tokens: int | None
    """None: each task's own, else DEFAULT_MAX_TOKENS."""
    timeout_s: float
    recordings: Path
    record_mode: str
    """One of RECORD_MODES."""
    sandbox: str
    fail_under: float
    reports: tuple[Path, ...]
    aliases: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    """The project's own models and groups."""


def read_settings(
    given: Callable[[str], Any], ini: Callable[[str], Any], *, root: Path, start: Path
) -> Settings:
    """Command line over ini over default, and the project's file.

    `given` and `ini` look a name such as `llm_models` up; None and empty mean unset. `root` holds
    `pyproject.toml` and `llmbench.toml`; report paths are relative to `start`.
    Raises SettingsError.
    """
    values = {option.name: _read_option(option, given, ini) for option in OPTIONS}
    if not values["models"] and given("llm_models"):
        raise SettingsError("--llm-models names no model; write for example devstral,sonnet")
    return Settings(
        models=values["models"],
        samples=values["samples"],
        prompts=values["prompts"],
        max_tokens=values["max_tokens"],
        timeout_s=values["timeout"],
        recordings=start / values["recordings"] if values["recordings"] else root / ".llmbench",
        record_mode=values["record_mode"],
        sandbox=values["sandbox"],
        fail_under=values["fail_under"],
        reports=tuple(start / path for path in values["report"]),
        aliases=_read_aliases(root) if values["models"] else {},
    )


def _read_option(option: Option, given: Callable[[str], Any], ini: Callable[[str], Any]) -> Any:
    for name, texts in ((option.flag, given(option.ini)), (option.ini, ini(option.ini))):
        if texts in (None, "", []):
            continue
        if option.repeatable:
            parts = [part.strip() for text in texts for part in text.split(",")]
            return tuple(part for part in parts if part)
        try:
            return option.parse(texts)
        except ValueError:
            raise SettingsError(
                f"{name}: got {texts!r}, expected {EXPECTED[option.parse]}"
            ) from None
    return option.default


def _read_aliases(root: Path) -> dict[str, str | list[str]]:
    """`[tool.llmbench.models]` of pyproject.toml, overlaid by llmbench.toml."""
    aliases: dict[str, str | list[str]] = {}
    for file in (root / "pyproject.toml", root / "llmbench.toml"):
        if not file.is_file():
            continue
        table = _read_toml(file)
        own = table.get("tool", {}).get("llmbench", {})
        if file.name == "llmbench.toml" and not own:
            own = table
        aliases.update(_check_aliases(file, own))
    return aliases


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}") from None


def _check_aliases(file: Path, own: Any) -> dict[str, str | list[str]]:
    unknown = [key for key in own if key != "models"] if isinstance(own, dict) else []
    if unknown:
        raise SettingsError(f"{file.name}: llmbench has no key {unknown[0]!r}; it knows `models`")
    models = own.get("models", {}) if isinstance(own, dict) else None
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
