"""What rescoring costs beyond the runs of the answers' programs: time and memory an item.

The suite asks nothing of a sandbox, so all that is measured is pytest's and the plugin's own. Times
are the processor's, which other programs on the machine disturb least. 10,000 items by hand:
`LLMBENCH_SAMPLES=500` gives the suite 20 × 500.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from small_projects import COUNTING_PROVIDER, ECHO_SUITE

TASKS = 20
SAMPLES = int(os.environ.get("LLMBENCH_SAMPLES", "50"))
MOST_MS_AN_ITEM = 10.0
MOST_KB_AN_ITEM = 25.0
ANSWER_KB = 30


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    items: int
    cpu_s: float
    peak_kb: int


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tasks whose recorded answers are long, most of it prose."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    prose = f'yield VisibleText("word " * {ANSWER_KB * 200})\n        yield VisibleText('
    (tmp_path / "conftest.py").write_text(
        COUNTING_PROVIDER.replace("yield VisibleText(", prose, 1), encoding="utf-8"
    )
    text = ECHO_SUITE.replace("COUNT", str(TASKS)).replace(
        'assert solution.run().stdout == name + "\\n"', "assert name in solution.source()"
    )
    assert "solution.run" not in text
    (tmp_path / "test_echo.py").write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def run(folder: Path, samples: int, *arguments: str) -> Cost:
    """Run the suite in a process of its own, to its end."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
               "--llm-models=counting/m", f"--llm-samples={samples}", *arguments]  # fmt: skip
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (folder / "output").read_text()
    return Cost(TASKS * samples, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def test_rescoring_costs_little_time_and_memory_an_item(
    suite: Path,
) -> None:
    """Between a tenth of the items and all of them, so that starting does not count."""
    run(suite, SAMPLES)
    few, some, all_ = (
        run(suite, samples, "--llm-record-mode=none")
        for samples in (SAMPLES // 10, SAMPLES // 2, SAMPLES)
    )
    first_half_ms = 1_000 * (some.cpu_s - few.cpu_s) / (some.items - few.items)
    second_half_ms = 1_000 * (all_.cpu_s - some.cpu_s) / (all_.items - some.items)
    kb = (all_.peak_kb - few.peak_kb) / (all_.items - few.items)
    figures = f"{first_half_ms:.1f} and {second_half_ms:.1f} ms, {kb:.1f} kB an item"
    assert second_half_ms < MOST_MS_AN_ITEM, figures
    assert second_half_ms < 2 * first_half_ms, figures
    assert kb < MOST_KB_AN_ITEM < ANSWER_KB, figures
