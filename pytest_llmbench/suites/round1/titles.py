"""Todo titles that no program can know beforehand."""

from __future__ import annotations

import hashlib

_CONSONANTS = "klmnprstvz"
_VOWELS = "aiou"
_THINGS = ("parcel", "garden", "ticket", "window", "letter", "jacket", "bottle", "mirror")


def make_titles(seed: str, count: int) -> tuple[str, ...]:
    """Made-up titles such as `Kilora parcel for Vunami`, the same for the same seed.

    They are plain words, so that no shell, database or table has trouble with them; each begins
    with a word of six letters that no other of them has, and none looks like an id.
    """
    titles: dict[str, str] = {}
    attempt = 0
    while len(titles) < count:
        digest = hashlib.sha256(f"{seed}\0{attempt}".encode()).digest()
        attempt += 1
        thing = _THINGS[len(titles) % len(_THINGS)]
        name = _make_name(digest[:6])
        titles.setdefault(name, f"{name} {thing} for {_make_name(digest[6:12])}")
    return tuple(titles.values())


def _make_name(numbers: bytes) -> str:
    letters = [
        (_CONSONANTS if position % 2 == 0 else _VOWELS)[number % (10 if position % 2 == 0 else 4)]
        for position, number in enumerate(numbers)
    ]
    return "".join(letters).capitalize()
