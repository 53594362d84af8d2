"""Todo titles that no program can know beforehand."""

from __future__ import annotations

import hashlib
import itertools

_CONSONANTS = "klmnprstvz"
_VOWELS = "aiou"
_THINGS = ("parcel", "garden", "ticket", "window", "letter", "jacket", "bottle", "mirror")


def make_titles(seed: str, count: int) -> tuple[str, ...]:
    """Made-up titles such as `Kilora parcel for Vunami`, the same for the same seed.

    They are plain words, so that no shell, database or table has trouble with them; each begins
    with a word of six letters that no other of them has, and none looks like an id. They are in
    alphabetical order, so that a program that sorts them shows them as they were added.
    """
    names: set[str] = set()
    attempt = 0
    while len(names) < 2 * count:
        names.add(_make_name(hashlib.sha256(f"{seed}\0{attempt}".encode()).digest()))
        attempt += 1
    first, second = sorted(names)[::2], sorted(names)[1::2]
    things = itertools.islice(itertools.cycle(_THINGS), count)
    return tuple(
        f"{name} {thing} for {other}"
        for name, thing, other in zip(first, things, reversed(second), strict=True)
    )


def _make_name(numbers: bytes) -> str:
    letters = (_CONSONANTS, _VOWELS) * 3
    return "".join(
        choice[number % len(choice)] for choice, number in zip(letters, numbers, strict=False)
    ).capitalize()
