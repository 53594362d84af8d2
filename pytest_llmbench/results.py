"""The record of one result: what crosses processes, and what every report is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeAlias

from pytest_llmbench.generation.result import Generation

NO_CHECKS = "the test has no checks"
"""Why an answer that nothing was asked of has no score."""

Fault: TypeAlias = Literal["surroundings", "suite", "skipped", "not-run"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a rubric, run once."""

    category: str
    name: str
    passed: bool
    message: str | None
    """Why it failed, in a few lines; None when it passed."""
    duration_s: float
    diagnosis: str | None = None
    """The code of what made it fail, where the evidence says; see `diagnosis`."""


@dataclass(frozen=True, slots=True)
class CategoryScore:
    """The checks of one category, rolled up: earned = points × passed ÷ total."""

    passed: int
    total: int
    earned: float
    points: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that went wrong, and the points that it cost."""

    code: str
    message: str
    points_lost: float


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """A generation's figures, as the report's JSON names them. None: unknown."""

    ttft_s: float | None
    ttfo_s: float | None
    thinking_s: float | None
    total_s: float | None
    connect_s: float | None
    connection_reused: bool | None
    load_s: float | None
    input_tokens: int | None
    cached_input_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    tokens_reported_by: str | None
    tokens_per_s: float | None
    tokens_per_s_method: str | None
    tokens_per_s_reason: str | None
    e2e_tokens_per_s: float | None
    chars_per_s: float | None
    stop_reason: str
    provider_stop_reason: str | None
    truncated: bool | None
    attempts: int
    retry_wait_s: float
    warm: bool | None
    replayed: bool
    cost_usd: float | None
    max_tokens: int
    served_model: str | None = None
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, generation: Generation) -> GenerationRecord:
        """The figures of a generation, without its texts."""
        usage, timing, rate = generation.usage, generation.timing, generation.rate
        return cls(
            ttft_s=timing.ttft_s,
            ttfo_s=timing.ttfo_s,
            thinking_s=generation.thinking_s,
            total_s=timing.total_s,
            connect_s=timing.connect_s,
            connection_reused=timing.connection_reused,
            load_s=timing.load_s,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            output_tokens=usage.output_tokens,
            thinking_tokens=usage.thinking_tokens,
            tokens_reported_by=usage.reported_by,
            tokens_per_s=rate.tokens_per_s,
            tokens_per_s_method=rate.method,
            tokens_per_s_reason=rate.reason,
            e2e_tokens_per_s=rate.e2e_tokens_per_s,
            chars_per_s=rate.chars_per_s,
            stop_reason=generation.stop_reason,
            provider_stop_reason=generation.provider_stop_reason,
            truncated=generation.truncated,
            attempts=generation.attempts,
            retry_wait_s=generation.retry_wait_s,
            warm=generation.warm,
            replayed=generation.replayed,
            cost_usd=generation.cost_usd,
            max_tokens=generation.max_tokens,
            served_model=generation.served_model,
            warnings=generation.warnings,
            details=dict(generation.details),
        )


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """One run of the answer's program, as a report shows it. Texts may be cut."""

    argv: tuple[str, ...]
    returncode: int | None
    stdout: str
    stderr: str
    duration_s: float
    limit: str | None = None
    """The limit that ended it, in words; None when none did."""
    check: str | None = None
    """`category: name` of the check that made it; None outside of checks."""
    output_truncated: bool = False
    """It wrote more than the sandbox keeps."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reader wants to see beside the figures; not part of the JSON report."""

    prompt: str = ""
    answer: str = ""
    thinking: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[ProgramRun, ...] = ()
    timeline: tuple[tuple[float, int, int], ...] = ()
    """(seconds since the request, thinking characters so far, visible characters so far)."""
    extraction_reason: str | None = None
    """Why the answer holds no code; None when it holds some."""
    extraction_warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """One model × task × prompt × sample."""

    nodeid: str
    model: str
    task: str
    prompt: str
    sample: int
    status: Literal["scored", "unscored"]
    reason: str | None
    """Why it is unscored, in one line; None when scored."""
    fault: Fault | None
    """Whose fault it is that there is no score; None when scored."""
    score: float | None
    """0 to 100; None when unscored, never 0 for want of an answer. That of the last attempt."""
    categories: Mapping[str, CategoryScore] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    generation: GenerationRecord | None = None
    """Of the answer that was scored: with several attempts, the last."""
    attempt_scores: tuple[float, ...] = ()
    """The score of each attempt; the last is `score`. Empty when no attempt was scored."""
    earlier_generations: tuple[GenerationRecord, ...] = ()
    """Of the attempts before the last."""
    diagnoses: tuple[Diagnosis, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Path → `sha256:…` of what the answer was unpacked to."""
    nodeids: tuple[str, ...] = ()
    """All test items that share this result."""
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def generations(self) -> tuple[GenerationRecord, ...]:
        """Of all attempts, the first to the last."""
        last = () if self.generation is None else (self.generation,)
        return (*self.earlier_generations, *last)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values, evidence included."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of `to_json`; keys that this version does not know are left out."""
        known = _known(cls, data)
        known["categories"] = {
            name: CategoryScore(**_known(CategoryScore, score))
            for name, score in data.get("categories", {}).items()
        }
        known["checks"] = tuple(Check(**_known(Check, each)) for each in data.get("checks", ()))
        known["diagnoses"] = tuple(
            Diagnosis(**_known(Diagnosis, each)) for each in data.get("diagnoses", ())
        )
        generation = data.get("generation")
        if generation is not None:
            known["generation"] = _read_generation(generation)
        known["earlier_generations"] = tuple(
            map(_read_generation, data.get("earlier_generations", ()))
        )
        known["attempt_scores"] = tuple(data.get("attempt_scores", ()))
        known["nodeids"] = tuple(data.get("nodeids", ()))
        known["evidence"] = _read_evidence(data.get("evidence", {}))
        return cls(**known)


def _read_generation(data: Mapping[str, Any]) -> GenerationRecord:
    known = _known(GenerationRecord, data)
    return GenerationRecord(**{**known, "warnings": tuple(known.get("warnings", ()))})


def _read_evidence(data: Mapping[str, Any]) -> Evidence:
    known = _known(Evidence, data)
    known["runs"] = tuple(
        ProgramRun(**{**_known(ProgramRun, run), "argv": tuple(run["argv"])})
        for run in data.get("runs", ())
    )
    known["extraction_warnings"] = tuple(data.get("extraction_warnings", ()))
    known["timeline"] = tuple(
        (at_s, thinking, visible) for at_s, thinking, visible in data.get("timeline", ())
    )
    return Evidence(**known)


def _known(record: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    names = {each.name for each in fields(record)}
    return {name: value for name, value in data.items() if name in names}


def replace_surrogates(text: str) -> str:
    """The text with each half of a split character as a question mark, which no encoding takes."""
    return text.encode(errors="replace").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
