"""What slugify must do; laid beside the answer and run by the suite."""

from slugs import slugify


def test_words_are_joined_by_hyphens() -> None:
    assert slugify("Hello World") == "hello-world"


def test_a_run_of_other_characters_is_one_hyphen() -> None:
    assert slugify("a -- b,c") == "a-b-c"


def test_no_hyphen_at_either_end() -> None:
    assert slugify("  (draft) ") == "draft"


def test_letters_of_any_script_stay() -> None:
    assert slugify("Übung Ä") == "übung-ä"


def test_an_empty_title_has_an_empty_slug() -> None:
    assert slugify("") == ""
