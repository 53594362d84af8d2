"""Where a generation's time went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_llmbench.results import GenerationRecord, Result


@dataclass(frozen=True, slots=True)
class Phases:
    """The parts of one generation's total, in seconds, in the order in which they happened."""

    load_s: float | None
    """Waiting for the model to be loaded, within the time to the first token; None where it was
    loaded before, or where the server says nothing of it."""
    wait_s: float
    """From the request to the first generated thing, loading excepted."""
    thinking_s: float | None
    """From the first generated thing to the first visible one; None where that is not known."""
    answer_s: float
    """The rest, to the last generated piece."""

    @property
    def total_s(self) -> float:
        """All parts together."""
        return (self.load_s or 0.0) + self.wait_s + (self.thinking_s or 0.0) + self.answer_s


def split_time(generation: GenerationRecord) -> Phases | None:
    """The parts of the total; None when the first token or the end is not known."""
    ttft_s, total_s = generation.ttft_s, generation.total_s
    if ttft_s is None or total_s is None:
        return None
    load_s = None if generation.warm else generation.load_s  # a warm one was loaded before
    thinking_s = generation.thinking_s
    if load_s is not None:
        load_s = min(load_s, ttft_s)
    if thinking_s is not None:
        thinking_s = min(thinking_s, total_s - ttft_s)
    wait_s = ttft_s - (load_s or 0.0)
    return Phases(load_s, wait_s, thinking_s, total_s - ttft_s - (thinking_s or 0.0))


def find_typical(scored: Iterable[Result]) -> Phases | None:
    """The parts of the generation with the median total: one that happened, not an average."""
    phases = [split_time(each.generation) for each in scored if each.generation is not None]
    known = sorted((each for each in phases if each is not None), key=lambda each: each.total_s)
    return known[(len(known) - 1) // 2] if known else None
