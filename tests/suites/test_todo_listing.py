"""What is read from the lists of todo programs, in all kinds of layout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.suites.round1.listing import find_marked, read_listing
from pytest_llmbench.suites.round1.titles import make_titles

A, B, C = TITLES = (
    "Kilora parcel for Vunami",
    "Masito garden for Tulapo",
    "Rovuna ticket for Silako",
)


def ids_in(output: str) -> list[str | None]:
    """The likeliest id of each todo."""
    listing = read_listing(output, TITLES)
    return [
        listing.entries[title].ids[0] if listing.entries[title].ids else None
        for title in TITLES
        if listing.shows(title)
    ]


@pytest.mark.parametrize(
    ("layout", "ids"),
    [
        ("#{0} {1} (2026-11-23 05:49)", ("1", "2", "3")),
        ("[{0}] {1}", ("1", "2", "3")),
        ("{0}. {1}", ("1", "2", "3")),
        ("{0}) {1}", ("10", "11", "12")),
        ("ID: {0} | Priority: 2 | {1}", ("1", "2", "3")),
        ("[ ] {0}. {1} - created 23 Nov 2026, 5:49 PM", ("4", "5", "6")),
        ("2026-11-23T05:49:21.123456 {0} {1}", ("1", "2", "3")),
        ("{1} (id {0}), priority 1", ("1", "2", "3")),
        ("{0}  OPEN  {1}", ("a3f2c1", "0b77de", "beefed")),
        ("{0}  {1} -> open", ("A3F2C1", "0B77DE", "00FF11")),
        ("{0}  {1}", ("Xk3_9a", "vv-TQp", "zZ81_b")),
        ("{1}\n    id: {0}\n    done: no", ("9c0de0c1", "77777777", "0a1b2c3d")),
        (
            "{0}  {1}",
            (
                "6f1c2f0e-0d5b-4e57-9a63-2d6c5a1b9f00",
                "0c1d7e52-6a0f-4b2c-8f0e-7d1a2b3c4d5e",
                "f3e2d1c0-b9a8-4765-8432-10fedcba9876",
            ),
        ),
        ("│ {0:>3} │ {1:<30} │ pending │", ("1", "2", "3")),
        ("\x1b[32m{0:<4}\x1b[0m \x1b[1m{1}\x1b[0m", ("1", "2", "3")),
        ("📌 {0}\ufe0f\u20e3 {1}", ("1", "2", "3")),
        ("0 3 {0} {1}", ("1", "2", "3")),
        ("{0} {1}", ("T-1", "T-2", "T-3")),
        ("{{'id': {0}, 'title': '{1}', 'done': 0}}", ("1", "2", "3")),
        ("- {1}", (None, None, None)),
    ],
)
def test_ids_are_what_differs_in_the_same_place(layout: str, ids: tuple[str | None, ...]) -> None:
    output = "\n".join(layout.format(*pair) for pair in zip(ids, TITLES, strict=True))
    assert ids_in(f"My todos ({len(TITLES)})\n{output}\n3 pending\n") == list(ids)


def test_ids_do_not_depend_on_the_order() -> None:
    assert ids_in(f"3. {C}\n1. {A}\n2. {B}") == ["1", "2", "3"]


def test_a_printed_list_of_tuples_is_read_row_by_row() -> None:
    assert ids_in(str([(7, A, 0), (8, B, 0), (9, C, 1)])) == ["7", "8", "9"]


def test_ids_are_told_from_a_column_of_zeros_and_ones() -> None:
    assert ids_in(f"1 | {A} | 0\n2 | {B} | 1\n3 | {C} | 0") == ["1", "2", "3"]


@pytest.mark.parametrize(
    "row",
    [
        "1. Kilora parcel for Vunami",
        "1. KILORA PARCEL FOR VUNAMI",
        "1. Kilora par… pending",
        "1. Kilora pa...",
        "1. Kilora parcel   2026-11-23",
        "| 1 | Kilora parcel |\n|   | for Vunami    |",
        "| 1 | Kilora   |\n|   | parcel   |\n|   | for      |\n|   | Vunami   |",
        "1. " + "".join(f"{letter}\u0336" for letter in "Kilora parcel"),
        "\x1b[9mKilora parcel for Vunami\x1b[0m",
    ],
)
def test_a_title_may_be_cut_wrapped_or_coloured(row: str) -> None:
    assert read_listing(row, TITLES).shows(A)


@pytest.mark.parametrize(
    "row", ["1. Kilora", "1. Kilora pending", "1. Buy groceries", "", "Added #1", "Kilo"]
)
def test_less_than_a_recognizable_beginning_is_no_title(row: str) -> None:
    assert not read_listing(row, TITLES).shows(A)


BEFORE = {
    "marked": f"[ ] 1. {A}\n[ ] 2. {B}\n[ ] 3. {C}\n",
    "number": f"1|{A}|0\n2|{B}|0\n3|{C}|0\n",
    "colour": f"\x1b[32m1 {A}\x1b[0m\n\x1b[32m2 {B}\x1b[0m\n\x1b[32m3 {C}\x1b[0m\n",
    "sections": f"TO DO\n=====\n 1 {A}\n 2 {B}\n 3 {C}\n\nDONE\n====\n (none)\n",
    "cards": f"ID: 1\nStatus: open\nTitle: {A}\n---\nID: 2\nStatus: open\nTitle: {B}\n---\n"
    f"ID: 3\nStatus: open\nTitle: {C}\n---\n",
    "details": f"1 {A}\n   open\n2 {B}\n   open\n3 {C}\n   open\n",
    "dated": f"1 {A} -\n2 {B} -\n3 {C} -\n",
}
SECOND_DONE = {
    "marked": f"[ ] 1. {A}\n[x] 2. {B}\n[ ] 3. {C}\n",
    "number": f"1|{A}|0\n2|{B}|1\n3|{C}|0\n",
    "colour": f"\x1b[32m1 {A}\x1b[0m\n\x1b[90m2 {B}\x1b[0m\n\x1b[32m3 {C}\x1b[0m\n",
    "sections": f"TO DO\n=====\n 1 {A}\n 3 {C}\n\nDONE\n====\n 2 {B}\n",
    "cards": f"ID: 1\nStatus: open\nTitle: {A}\n---\nID: 2\nStatus: done\nTitle: {B}\n---\n"
    f"ID: 3\nStatus: open\nTitle: {C}\n---\n",
    "details": f"1 {A}\n   open\n2 {B}\n   done\n3 {C}\n   open\n",
    "dated": f"1 {A} -\n2 {B} 2026-11-23 05:49\n3 {C} -\n",
}
ALL_DONE = {
    "marked": f"[x] 1. {A}\n[x] 2. {B}\n[x] 3. {C}\n",
    "number": f"1|{A}|1\n2|{B}|1\n3|{C}|1\n",
    "colour": f"\x1b[90m1 {A}\x1b[0m\n\x1b[90m2 {B}\x1b[0m\n\x1b[90m3 {C}\x1b[0m\n",
    "sections": f"TO DO\n=====\n (none)\n\nDONE\n====\n 1 {A}\n 2 {B}\n 3 {C}\n",
    "cards": f"ID: 1\nStatus: done\nTitle: {A}\n---\nID: 2\nStatus: done\nTitle: {B}\n---\n"
    f"ID: 3\nStatus: done\nTitle: {C}\n---\n",
    "details": f"1 {A}\n   done\n2 {B}\n   done\n3 {C}\n   done\n",
    "dated": f"1 {A} 2026-11-23 05:49\n2 {B} 2026-11-23 05:49\n3 {C} 2026-11-23 05:50\n",
}


def marked(before: str, after: str) -> frozenset[str]:
    return find_marked(read_listing(before, TITLES), read_listing(after, TITLES))


@pytest.mark.parametrize("layout", BEFORE)
def test_the_todo_that_changed_alone_is_marked(layout: str) -> None:
    assert marked(BEFORE[layout], SECOND_DONE[layout]) == {B}


@pytest.mark.parametrize("layout", BEFORE)
def test_where_all_changed_alike_none_is_marked(layout: str) -> None:
    assert marked(BEFORE[layout], ALL_DONE[layout]) == frozenset()


@pytest.mark.parametrize("layout", BEFORE)
def test_where_nothing_changed_none_is_marked(layout: str) -> None:
    assert marked(BEFORE[layout], BEFORE[layout]) == frozenset()


def test_dates_ages_and_renumbering_are_no_marks() -> None:
    before = f"1. {A} (just now)\n2. {B} (just now)\n3. {C} (just now)"
    after = f"1. {C} (2 seconds ago)\n2. {A} (3 seconds ago)\n3. {B} (3 seconds ago)"
    assert marked(before, after) == frozenset()


def test_titles_follow_from_their_seed_and_are_sorted() -> None:
    titles = make_titles("seed", 4)
    assert titles == make_titles("seed", 4)
    assert titles != make_titles("another", 4)
    assert list(titles) == sorted(titles)
    assert len({title[:6] for title in titles}) == 4


PIECES = [
    *(A, B, C, "Kilora", "parcel", "1", "2", "#", "[x]", "\n", " ", "|", "\x1b[9m", "\x1b", "İ"),
    *("id: ", "2026-11-23", "5:49", "done", "-----", ")", ",", "(", "\u0336", "ß"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=200))
def test_no_output_is_too_odd(output: str) -> None:
    listing = read_listing(output, TITLES)
    assert find_marked(listing, listing) == frozenset()
    assert set(listing.entries) <= set(TITLES)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["\n", "a", ") ", f"{A} 1 [", f"1 {A}\n", f"{A} 2026-", "=" * 9])
def test_a_flood_is_read_in_no_time(piece: str) -> None:
    assert set(read_listing(piece * 100_000, TITLES).entries) <= {A}
