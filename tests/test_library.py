"""The library of recordings: what it writes, it reads again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_llmbench.generation.ask import GenerationFailed, Progress
from pytest_llmbench.generation.lanes import Answer, Job
from pytest_llmbench.generation.library import Library
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint

MODEL = Model("m", "played", "m")
JOB = Job("key", MODEL, Request((Message("user", "Draw a face."),), max_tokens=100, task="face"))


@dataclass
class PlayedModels:
    """Live models whose every answer is `text`."""

    text: str = "Here."
    address: str = "http://one.invalid"
    asked: list[Job] = field(default_factory=list)

    def expect(self, jobs: Sequence[Job]) -> None:
        pass

    def answer(self, job: Job, progress: Progress) -> Answer:
        self.asked.append(job)
        return Answer(Recording(self.text, thinking=self.text), replayed=False)

    def is_archive(self, model: Model) -> bool:
        return False

    def find_endpoint(self, model: Model) -> Endpoint:
        return Endpoint(self.address, "cloud", concurrency=1)

    def find_digest(self, model: Model) -> str | None:
        return None


def answer(folder: Path, mode: str, live: PlayedModels) -> Answer:
    return Library(folder, mode, live, {}).answer(JOB, Progress())


@pytest.mark.parametrize("text", ["half an emoji: \ud83d", "its end: \ude00!", "NUL \0 and é"])
def test_whatever_text_a_model_wrote_is_found_again(tmp_path: Path, text: str) -> None:
    """A stream that is cut within an emoji leaves a half of it, which UTF-8 cannot hold."""
    answer(tmp_path, "all", PlayedModels(text))
    found = answer(tmp_path, "none", PlayedModels())
    assert (found.recording.text, found.recording.thinking, found.replayed) == (text, text, True)
    assert Library(tmp_path, "none", PlayedModels(), {}).list_earlier(MODEL)[0].text == text


def test_what_one_server_answered_is_no_answer_of_another(tmp_path: Path) -> None:
    """An environment variable may send the same spec elsewhere."""
    answer(tmp_path, "all", PlayedModels("From one."))
    other = PlayedModels("From another.", "http://another.invalid")
    assert Library(tmp_path, "none", other, {}).list_earlier(MODEL) == []
    with pytest.raises(GenerationFailed, match="there is no recording of this answer in "):
        answer(tmp_path, "none", other)
    assert answer(tmp_path, "new_episodes", other).recording.text == "From another."
    assert answer(tmp_path, "none", PlayedModels()).recording.text == "From one."
