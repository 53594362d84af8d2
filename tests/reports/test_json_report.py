"""The JSON report: its shape, its schema, its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_llmbench.reports.json_report import build_document, load_schema
from pytest_llmbench.reports.run import Run
from pytest_llmbench.reports.summary import summarize
from pytest_llmbench.reports.writing import write_report
from report_builders import make_checks, make_generation, make_result, make_run, make_unscored

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
