"""Recordings of the first version are read by this one: a folder that no test run writes."""

import shutil
from pathlib import Path

import pytest

from small_projects import COUNTING_PROVIDER, ECHO_SUITE, asked, read_report

GOLDEN = Path(__file__).parent / "golden_recordings"


def test_recordings_of_schema_1_are_found_and_read(project: pytest.Pytester) -> None:
    """Offline, by the question alone: text, thinking, pieces, usage and what it cost."""
    project.makeconftest(COUNTING_PROVIDER)
    project.makepyfile(test_echo=ECHO_SUITE.replace("COUNT", "2"))
    shutil.copytree(GOLDEN, project.path / "kept")
    project.runpytest_inprocess(
        "--llm-models=counting/m",
        "--llm-recordings=kept",
        "--llm-record-mode=none",
        "--llm-report=out.json",
    ).assert_outcomes(passed=2)
    assert asked(project.path) == []
    first, second = read_report(project.path / "out.json")["results"]
    assert (first["task"], first["score"], second["score"]) == ("t0", 100.0, 100.0)
    generation = first["generation"]
    assert generation["replayed"]
    assert (generation["ttft_s"], generation["total_s"]) == (
        0.012571504999868921,
        0.012623912999515596,
    )
    assert (generation["output_tokens"], generation["thinking_tokens"]) == (19, 7)
    assert (generation["cost_usd"], generation["served_model"]) == (0.0001, "m-2026-11")
    assert generation["provider_stop_reason"] == "stop"
    assert generation["details"]["digest"] == "sha256:one"
    assert generation["details"]["recording"].startswith("recordings/counting/m/t0/default-s0-")
