"""What went wrong with an answer, found from evidence, and the points that each cause cost.

A failed check is explained by its own evidence first (the runs of the program within it, then
its message), then by what is known of the whole answer. What nothing explains stays a
`failed-check`, so the points lost by cause always add up to the points lost.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pytest_llmbench.results import (
    Check,
    Diagnosis,
    Evidence,
    GenerationRecord,
    ProgramRun,
    Result,
)

CODES = {
    "truncated": "The token limit cut the answer off.",
    "interactive-program": "The program asks with input() where it was to read its arguments.",
    "thinking-tax": "At least half of the answer's tokens, or of its time, went into thinking.",
    "cold-start": "A large part of the time went into loading the model.",
    "no-code": "The answer holds no code, or not the file that was asked for.",
    "extra-prose": "Only code was asked for, and there is prose beside it. Costs no points.",
    "syntax-error": "The code does not parse.",
    "program-crash": "The program ended with an exception or a signal.",
    "program-timeout": "The program did not end in time.",
    "output-flood": "The program wrote more than the sandbox keeps.",
    "refused": "The model declined to answer.",
    "context-overflow": "Prompt and answer did not fit into the model's context.",
    "rate-limited": "The server asked to slow down; the waiting is in no figure.",
    "not-checked": "Points of a category in which no check ran.",
    "failed-check": "The answer did not do what a check asked for; no other cause was found.",
}
"""Every code, with what it means."""

MIN_THINKING_SHARE = 0.5
MIN_LOAD_S = 1.0
MIN_LOAD_SHARE = 0.2
COLD_TTFT_FACTOR = 3.0
COLD_TTFT_EXCESS_S = 2.0
MIN_WARM_RESULTS = 3
MIN_PROSE_CHARS = 200
NAMES_SHOWN = 3
DETAIL_CHARS = 200
ARGV_WITHOUT_ARGUMENTS = 2
"""The interpreter and the program."""

_ONLY_CODE = re.compile(r"\bonly\b.{0,40}\bcode\b", re.IGNORECASE | re.DOTALL)
_THOUGHTS = re.compile(r"\A.*?</(?:think|thinking|thought|reasoning)>", re.DOTALL)
_EXCEPTION = re.compile(
    r"^(?:E\s+)?([A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$", re.MULTILINE
)
_SYNTAX_ERROR = re.compile(
    r"^(?:E\s+)?(?:SyntaxError|IndentationError|TabError)\b.*$", re.MULTILINE
)
_END_OF_INPUT = "EOF when reading a line"
_TRACEBACK = "Traceback (most recent call last)"
_NO_CODE = re.compile(r"^(?:MissingAnswer: )?(the answer holds no .*)$", re.MULTILINE)
_READS_ARGUMENTS = ("argv", "argparse", "click", "typer", "fire", "getopt", "docopt")
# The causes of a program that could not be read: in a cut answer, the cut made them.
_MADE_BY_A_CUT = frozenset({"syntax-error", "no-code", "failed-check"})


@dataclass(frozen=True, slots=True)
class _Finding:
    """Why one check failed."""

    code: str
    detail: str = ""
    """The evidence in a few words; empty when the code says it all."""


def diagnose_all(results: Sequence[Result], local_models: frozenset[str]) -> tuple[Result, ...]:
    """The results with their diagnoses; one that carries some keeps them.

    A cold start shows in the time to the first token of a local model beside its other results.
    """
    ttfts_s: dict[str, list[float]] = {}
    for result in results:
        ttft_s = result.generation.ttft_s if result.generation else None
        if ttft_s is not None and result.model in local_models:
            ttfts_s.setdefault(result.model, []).append(ttft_s)
    warm_ttft_s = {
        model: median(values) for model, values in ttfts_s.items() if len(values) > MIN_WARM_RESULTS
    }
    return tuple(_complete(result, warm_ttft_s.get(result.model)) for result in results)


def _complete(result: Result, warm_ttft_s: float | None) -> Result:
    if not result.diagnoses:
        return replace(result, diagnoses=diagnose(result, warm_ttft_s))
    cold = None
    if result.generation is not None and "cold-start" not in {
        each.code for each in result.diagnoses
    }:
        cold = _find_cold_start(result.generation, warm_ttft_s)
    return result if cold is None else replace(result, diagnoses=(*result.diagnoses, cold))


def lighten(result: Result) -> Result:
    """The result with its diagnoses, and without the evidence that nothing but they need."""
    files = Evidence(files=result.evidence.files)
    return replace(result, diagnoses=diagnose(result), evidence=files)


def diagnose(result: Result, warm_ttft_s: float | None = None) -> tuple[Diagnosis, ...]:
    """What went wrong, the dearest first; the points add up to the points lost.

    `warm_ttft_s` is the model's usual time to the first token; None when it is not known.
    Unscored results lost no points: they have no score to lose them from.
    """
    if result.score is None or result.generation is None:
        return result.diagnoses
    costly = _diagnose_checks(result, result.generation)
    costly.sort(key=lambda diagnosis: -diagnosis.points_lost)
    explained = {diagnosis.code for diagnosis in costly}
    free = (
        _find_thinking_tax(result.generation),
        _find_cold_start(result.generation, warm_ttft_s),
        _find_extra_prose(result),
        _find_cut(result.generation),
        _find_rate_limit(result.generation),
    )
    return (*costly, *(each for each in free if each is not None and each.code not in explained))


def _diagnose_checks(result: Result, generation: GenerationRecord) -> list[Diagnosis]:
    findings = _explain_checks(result, generation)
    lost: dict[str, float] = {}
    cases: dict[str, list[tuple[Check, _Finding]]] = {}
    for check, finding in findings:
        category = result.categories.get(check.category)
        share = category.points / category.total if category and category.total else 0.0
        lost[finding.code] = lost.get(finding.code, 0.0) + share
        cases.setdefault(finding.code, []).append((check, finding))
    diagnoses = [
        Diagnosis(code, _tell(code, found, generation), lost[code]) for code, found in cases.items()
    ]
    return diagnoses + _find_unchecked(result)


def _find_unchecked(result: Result) -> list[Diagnosis]:
    empty = {
        name: category.points
        for name, category in result.categories.items()
        if category.total == 0 and category.points > 0
    }
    if not empty:
        return []
    return [Diagnosis("not-checked", f"no check ran in {', '.join(empty)}", sum(empty.values()))]


def _explain_checks(result: Result, generation: GenerationRecord) -> list[tuple[Check, _Finding]]:
    interactive = _is_interactive(result)
    runs: dict[str, list[ProgramRun]] = {}
    for run in result.evidence.runs:
        if run.check is not None:
            runs.setdefault(run.check, []).append(run)
    failed = [check for check in result.checks if not check.passed]
    found = []
    for check in failed:
        own = runs.get(f"{check.category}: {check.name}", [])
        finding = _read_evidence(check, own, interactive=interactive)
        found.append((check, _consider_answer(finding, result, generation)))
    return _follow_siblings(found, runs)


def _read_evidence(check: Check, runs: Iterable[ProgramRun], *, interactive: bool) -> _Finding:
    """What the check itself shows; `failed-check` when it shows nothing."""
    if check.diagnosis is not None:
        return _Finding(check.diagnosis, _first_line(check.message))
    for run in runs:
        finding = _read_run(run, interactive=interactive)
        if finding is not None:
            return finding
    return _read_text(check.message or "") or _Finding("failed-check")


def _read_run(run: ProgramRun, *, interactive: bool) -> _Finding | None:
    limit = run.limit or ""
    if interactive and len(run.argv) > ARGV_WITHOUT_ARGUMENTS:
        return _Finding("interactive-program")
    if limit.startswith(("time", "cpu")):
        return _Finding("program-timeout", limit)
    if run.output_truncated or limit.startswith(("output", "disk", "file")):
        return _Finding("output-flood", limit)
    if limit:
        return _Finding("program-crash", f"stopped by its limit ({limit})")
    finding = _read_text(run.stderr)
    if finding is None and run.returncode is not None and run.returncode < 0:
        return _Finding("program-crash", f"ended by signal {-run.returncode}")
    return finding


def _read_text(text: str) -> _Finding | None:
    """What an error text says of its cause: a traceback, a syntax error, an answer without code."""
    missing = _NO_CODE.search(text)
    if missing:
        return _Finding("no-code", missing[1])
    syntax_errors = _SYNTAX_ERROR.findall(text)
    if syntax_errors:
        return _Finding("syntax-error", _first_line(syntax_errors[-1]))
    if _END_OF_INPUT in text:
        return _Finding("interactive-program")
    if _TRACEBACK in text:
        exceptions = _EXCEPTION.findall(text)
        return _Finding("program-crash", exceptions[-1] if exceptions else "an exception")
    return None


def _consider_answer(finding: _Finding, result: Result, generation: GenerationRecord) -> _Finding:
    """Replace what the whole answer explains better than the check itself."""
    if finding.code not in _MADE_BY_A_CUT:
        return finding
    if _overflowed(generation):
        return _Finding("context-overflow")
    if generation.stop_reason == "length":
        return _Finding("truncated")
    if generation.stop_reason == "refused":
        return _Finding("refused")
    if result.evidence.extraction_reason and finding.code == "failed-check":
        return _Finding("no-code", f"the answer holds no code: {result.evidence.extraction_reason}")
    return finding


def _follow_siblings(
    found: list[tuple[Check, _Finding]], runs: dict[str, list[ProgramRun]]
) -> list[tuple[Check, _Finding]]:
    """A check that ran nothing itself failed for what its category's other checks agree on.

    A list cannot be looked at when adding has crashed.
    """
    causes: dict[str, dict[str, _Finding]] = {}
    for check, finding in found:
        if finding.code != "failed-check" and runs.get(f"{check.category}: {check.name}"):
            causes.setdefault(check.category, {})[finding.code] = finding
    return [
        (check, _agreed(causes.get(check.category, {})) or finding)
        if finding.code == "failed-check" and not runs.get(f"{check.category}: {check.name}")
        else (check, finding)
        for check, finding in found
    ]


def _agreed(causes: dict[str, _Finding]) -> _Finding | None:
    return next(iter(causes.values())) if len(causes) == 1 else None


def _is_interactive(result: Result) -> bool:
    """Whether the code asks with input() and nowhere reads its arguments."""
    sources = result.evidence.files.values()
    if any(word in source for source in sources for word in _READS_ARGUMENTS):
        return False
    return any(_asks(source) for source in sources)


def _asks(source: str) -> bool:
    if "input" not in source:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the answer's code
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, ast.Name) and node.id == "input" for node in ast.walk(tree))


def _tell(code: str, found: Sequence[tuple[Check, _Finding]], generation: GenerationRecord) -> str:
    """One sentence about a cause, with the evidence that occurs most often."""
    details = [finding.detail for _, finding in found if finding.detail]
    detail = max(details, key=details.count) if details else ""
    checks = _count(len(found), "check")
    sentences = {
        "truncated": _tell_cut(generation),
        "context-overflow": _tell_overflow(generation),
        "refused": "the model declined to answer",
        "interactive-program": f"it asks with input() instead of reading its arguments ({checks})",
        "no-code": _shorten(detail) or "the answer holds no code",
        "syntax-error": f"the code does not parse{_after_colon(detail)}",
        "program-crash": f"it crashed in {checks}{_after_colon(detail)}",
        "program-timeout": f"it did not end in {checks}{_after_colon(detail)}",
        "output-flood": f"it wrote without end in {checks}{_after_colon(detail)}",
    }
    names = _name_some([check.name for check, _ in found])
    return sentences.get(code, f"failed: {names}")


def _shorten(detail: str) -> str:
    return detail if len(detail) <= DETAIL_CHARS else f"{detail[: DETAIL_CHARS - 1]}…"


def _after_colon(detail: str) -> str:
    return f": {_shorten(detail)}" if detail else ""


def _tell_cut(generation: GenerationRecord) -> str:
    text = f"cut off at its limit of {generation.max_tokens:,} tokens"
    thinking, output = generation.thinking_tokens, generation.output_tokens
    if thinking and output:
        return f"{text}, of which {thinking:,} went into thinking"
    return text


def _tell_overflow(generation: GenerationRecord) -> str:
    read, written = generation.input_tokens, generation.output_tokens
    if read is None or written is None:
        return "the model's context was full before the answer was complete"
    return f"the model's context was full after {read:,} tokens read and {written:,} written"


def _overflowed(generation: GenerationRecord) -> bool:
    return generation.provider_stop_reason == "model_context_window_exceeded"


def _find_cut(generation: GenerationRecord) -> Diagnosis | None:
    if _overflowed(generation):
        return Diagnosis("context-overflow", _tell_overflow(generation), 0.0)
    if generation.stop_reason == "length":
        return Diagnosis("truncated", _tell_cut(generation), 0.0)
    return None


def _find_thinking_tax(generation: GenerationRecord) -> Diagnosis | None:
    thinking, output = generation.thinking_tokens, generation.output_tokens
    if thinking is not None and output:
        if thinking / output < MIN_THINKING_SHARE:
            return None
        share = f"{thinking:,} of its {output:,} tokens"
    else:
        thinking_s, total_s = generation.thinking_s, generation.total_s
        if not thinking_s or not total_s or thinking_s / total_s < MIN_THINKING_SHARE:
            return None
        share = f"{thinking_s:.2f} s of its {total_s:.2f} s"
    return Diagnosis("thinking-tax", f"{share} went into thinking", 0.0)


def _find_cold_start(generation: GenerationRecord, warm_ttft_s: float | None) -> Diagnosis | None:
    load_s, total_s, ttft_s = generation.load_s, generation.total_s, generation.ttft_s
    if load_s is not None and total_s:
        if load_s < MIN_LOAD_S or load_s / total_s < MIN_LOAD_SHARE:
            return None
        message = f"{load_s:.2f} s of its {total_s:.2f} s went into loading the model"
        return Diagnosis("cold-start", message, 0.0)
    if warm_ttft_s is None or ttft_s is None or generation.warm is True:
        return None
    if ttft_s < max(COLD_TTFT_FACTOR * warm_ttft_s, warm_ttft_s + COLD_TTFT_EXCESS_S):
        return None
    message = f"its first token took {ttft_s:.2f} s, where {warm_ttft_s:.2f} s is usual"
    return Diagnosis("cold-start", message, 0.0)


def _find_extra_prose(result: Result) -> Diagnosis | None:
    evidence = result.evidence
    if not evidence.files or not _ONLY_CODE.search(evidence.prompt):
        return None
    code = {line.strip() for text in evidence.files.values() for line in text.splitlines()}
    prose = [
        line
        for line in map(str.strip, _THOUGHTS.sub("", evidence.answer, count=1).splitlines())
        if line and line not in code and not line.startswith(("```", "~~~"))
    ]
    chars = sum(map(len, prose))
    if chars < MIN_PROSE_CHARS:
        return None
    return Diagnosis(
        "extra-prose", f"{chars:,} characters of prose where only code was asked for", 0.0
    )


def _find_rate_limit(generation: GenerationRecord) -> Diagnosis | None:
    if not generation.details.get("rate_limited"):
        return None
    requests = _count(generation.attempts, "request")
    waited = f"{generation.retry_wait_s:.2f} s waited between them"
    return Diagnosis("rate-limited", f"{requests} until the server answered, {waited}", 0.0)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _name_some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    more = len(names) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _first_line(text: str | None) -> str:
    return (text or "").strip().splitlines()[0] if (text or "").strip() else ""
