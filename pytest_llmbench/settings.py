"""The options: one table, read once into a frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    switch: bool = False
    """Takes no value."""
    one_off: bool = False
    """Has no ini twin."""

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


def _parse_positive_usd(text: str) -> float:
    usd = float(text)
    if not 0 < usd < float("inf"):
        raise ValueError
    return usd


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
    Option(
        "max_cost",
        "USD",
        "ask for no answer that could take the cost of the run above this",
        _parse_positive_usd,
        None,
    ),
    Option(
        "attempts",
        "N",
        "answers that a model may give to one question, each after it was told what failed",
        _parse_positive_int,
        1,
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
    Option(
        "compare",
        "RUN|FILE",
        "set this run beside an earlier one: latest, a name in .llmbench/runs, or a JSON report",
        str,
        None,
    ),
    Option(
        "fail_on_regression",
        "",
        "with --llm-compare: fail when a model scores significantly less than before",
        str,
        False,  # noqa: FBT003  # a switch that is off
        switch=True,
    ),
    Option(
        "plan",
        "",
        "tell what would be asked, what is missing, and what it would cost; ask nothing",
        str,
        False,  # noqa: FBT003  # a switch that is off
        switch=True,
        one_off=True,
    ),
)
"""The one table; `plugin` registers it, `docs/reference/options.md` is made from it."""

EXPECTED: Mapping[Callable[[str], Any], str] = {
    _parse_positive_int: "a whole number of at least 1",
    _parse_positive_seconds: "a number of seconds above 0",
    _parse_positive_usd: "an amount in USD above 0, such as 0.50",
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
    attempts: int
    """Most answers to one question, each after the first with what failed before."""
    compare: str | None
    """The earlier run: `latest`, a name, or a path; None: no comparison."""
    fail_on_regression: bool
    start: Path
    """Where the user's own paths begin."""
    plan: bool = False
    """Tell what would happen, and nothing else."""
    max_cost_usd: float | None = None
    """The most that a run may cost; None: no limit."""


def read_settings(
    given: Callable[[str], Any], ini: Callable[[str], Any], *, root: Path, start: Path
) -> Settings:
    """Command line over ini over default.

    `given` and `ini` look a name such as `llm_models` up; None and empty mean unset. Recordings
    lie below `root` unless the user says where; the user's own paths are relative to `start`.
    Raises SettingsError.
    """
    values = {option.name: _read_option(option, given, ini) for option in OPTIONS}
    if not values["models"] and given("llm_models"):
        raise SettingsError("--llm-models names no model; write for example devstral,sonnet")
    if given("llm_fail_on_regression") and not values["compare"]:
        raise SettingsError("--llm-fail-on-regression: than which run? Add --llm-compare=RUN")
    if values["plan"] and not values["models"]:
        raise SettingsError("--llm-plan: which models? Add --llm-models=NAME,…")
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
        attempts=values["attempts"],
        compare=values["compare"],
        fail_on_regression=values["fail_on_regression"],
        start=start,
        plan=values["plan"],
        max_cost_usd=values["max_cost"],
    )


def _read_option(option: Option, given: Callable[[str], Any], ini: Callable[[str], Any]) -> Any:
    if option.switch:
        return bool(given(option.ini)) or (not option.one_off and bool(ini(option.ini)))
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
