"""The JSON report: its shape, its schema, its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_llmbench.reports.json_report import (
    ReportError,
    build_document,
    load_schema,
    read_document,
)
from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.reports.writing import write_report
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored

GOLDEN = Path(__file__).parent / "golden"
VALIDATOR = jsonschema.Draft202012Validator(load_schema())


def small_run() -> Run:
    failed = make_checks({"functional": [("EOFError at input()", "interactive-program")] * 7})
    return make_run(
        make_result("devstral"),
        make_result("qwen", checks=failed, generation=make_generation(cost_usd=0.01)),
        make_unscored("sonnet"),
    )


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(load_schema())


def test_the_document_matches_its_schema() -> None:
    VALIDATOR.validate(build_document(small_run()))


def test_the_document_has_the_keys_of_the_contract() -> None:
    document = build_document(small_run())
    scored, _, unscored = document["results"]
    assert document["schema_version"] == 1
    assert scored["score"] == 100.0
    assert scored["categories"]["features"] == {
        "passed": 10,
        "total": 10,
        "earned": 40.0,
        "points": 40.0,
    }
    assert scored["generation"]["tokens_per_s_method"] == "stream"
    assert (unscored["status"], unscored["score"]) == ("unscored", None)
    assert unscored["reason"].startswith("no server at")
    assert document["scoreboard"][0]["pass_at"] == {"1": 1.0}
    assert "evidence" not in scored


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("results", 0, "score"), None),
        (("results", 0, "score"), 101),
        (("results", 0, "reason"), "no server"),
        (("results", 2, "score"), 0),
        (("results", 2, "reason"), None),
        (("results", 0, "generation", "stop_reason"), "max_tokens"),
        (("results", 0, "generation", "output_tokens"), 1.5),
        (("results", 0, "generation", "ttft_s"), "1.0"),
        (("results", 0, "files", "todo.py"), "sha256:abc"),
        (("scoreboard", 0, "score_ci"), [1.0]),
        (("scoreboard", 0, "pass_at"), {"0": 1.0}),
        (("models", "qwen", "kind"), "remote"),
    ],
)
def test_the_schema_refuses_what_the_contract_excludes(
    path: tuple[str | int, ...], value: Any
) -> None:
    document: Any = build_document(small_run())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(document)


def test_the_file_holds_the_same_document_with_each_result_on_a_line(tmp_path: Path) -> None:
    run = small_run()
    path = tmp_path / "new" / "folder" / "out.json"
    write_report(path, summarize(run))
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == build_document(run)
    assert sum(line.startswith('  {"nodeid"') for line in text.splitlines()) == 3
    assert [each.name for each in path.parent.iterdir()] == ["out.json"]


def test_lone_surrogates_in_a_message_do_not_stop_the_report(tmp_path: Path) -> None:
    checks = make_checks({"syntax": [("cannot print \ud800 \x1b[31m", None)]})
    path = tmp_path / "out.json"
    write_report(path, summarize(make_run(make_result(checks=checks))))
    message = json.loads(path.read_text(encoding="utf-8"))["results"][0]["checks"][0]["message"]
    assert message == "cannot print \ud800 \x1b[31m"


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    with pytest.raises(ValueError, match=r"out\.yaml: unknown kind of report") as caught:
        write_report(path, summarize(small_run()))
    assert str(caught.value).startswith(
        f"{path}: unknown kind of report ('.yaml'); known suffixes: "
    )
    assert ".json" in str(caught.value)


def test_a_report_that_cannot_be_written_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    (tmp_path / "taken.json").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_report(tmp_path / "taken.json", summarize(small_run()))
    assert [each.name for each in tmp_path.iterdir()] == ["taken.json"]


def golden_run() -> Run:
    """The run that the golden reports tell of: never changed, at most added to under a new name."""
    checks = make_checks({"functional": [("EOFError: EOF when reading a line", None)] * 7})
    thinker = make_generation(
        ttft_s=1.2,
        ttfo_s=28.2,
        thinking_s=27.0,
        total_s=30.91,
        output_tokens=4096,
        thinking_tokens=3700,
        tokens_per_s=132.5,
        tokens_per_s_method="e2e",
        tokens_per_s_reason="the start of thinking was not seen",
        cost_usd=0.02,
        replayed=True,
    )
    return make_run(
        make_result("devstral"),
        make_result("devstral", sample=1),
        make_result("qwen", checks=checks, generation=thinker),
        make_unscored("sonnet"),
    )


def assert_keeps(new: Any, old: Any, where: str) -> None:
    """All that the old document says, the new one says too, in the same place; it may add keys.

    How sentences are worded is free.
    """
    if where.endswith((".text", ".message", ".verdict")):
        assert type(new) is type(old), where
    elif isinstance(old, dict):
        for key, value in old.items():
            assert key in new, f"{where}.{key} is gone"
            assert_keeps(new[key], value, f"{where}.{key}")
    elif isinstance(old, list):
        assert len(new) == len(old), where
        for position, value in enumerate(old):
            assert_keeps(new[position], value, f"{where}[{position}]")
    else:
        assert type(new) is type(old), where
        assert new == (pytest.approx(old) if isinstance(old, float) else old), where


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("report-*.json")), ids=lambda path: path.name)
def test_what_an_earlier_version_wrote_is_still_written_and_still_valid(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    VALIDATOR.validate(golden)
    assert_keeps(build_document(golden_run()), golden, "report")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("report-*.json")), ids=lambda path: path.name)
def test_a_report_of_an_earlier_version_is_read(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    again = build_document(read_document(golden))
    assert_keeps(again["results"], golden["results"], "results")
    assert_keeps(again["scoreboard"], golden["scoreboard"], "scoreboard")


def test_there_is_a_golden_report() -> None:
    assert [path.name for path in sorted(GOLDEN.glob("*.json"))] == ["report-1.json"]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (
            {"schema_version": 2},
            "it has schema version 2, this pytest-llmbench reads up to 1; upgrade pytest-llmbench",
        ),
        ([], "it is no report of pytest-llmbench: it has no schema_version"),
        ({"schema_version": 1}, "it is no report of pytest-llmbench: KeyError('environment')"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(document: Any, complaint: str) -> None:
    with pytest.raises(ReportError) as caught:
        read_document(document)
    assert str(caught.value) == complaint
