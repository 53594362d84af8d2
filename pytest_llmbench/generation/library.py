"""The recordings of earlier runs: written as each answer ends, found again by what was asked.

.llmbench/
  README.md, .gitignore          the folder explains itself, and stays out of git
  recordings/<provider>/<model>/<task>/<prompt>-s<sample>-<key>-<moment>.json
  runs/<moment>.json             the report of each run; see `runs.py`
  failed/…                       what had come of generations that failed; never replayed
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from pytest_llmbench.generation.ask import GenerationFailed, Progress
from pytest_llmbench.generation.lanes import Answer, Answerer, Job
from pytest_llmbench.generation.recording import Recording, RecordingError, read_recording
from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint, ProviderError
from pytest_llmbench.whole_files import write_whole

README = """\
# Recordings of pytest-llmbench

Each file is one answer of one model: its text, its thinking, when each piece came, what the
provider counted, and what was asked. Nothing in here is sent anywhere, and no key is in here.

- `--llm-record-mode=new_episodes` asks only for what is missing: it resumes a run.
- `--llm-record-mode=none` asks for nothing: it scores what is here again.
- Without either, every answer is asked for anew and recorded beside the older ones.

`runs` holds the report of each run: `--llm-compare=latest` sets the next run beside the last.

Delete what you don't need any more; the folder `failed` is never read again.
"""

_PASSING = re.compile(r"0x[0-9a-fA-F]+|(?<=/llmbench-)\w+|\d+")


MOST_EARLIER = 200
"""Recordings that are read to learn how long a model's answers are."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an answer belongs to: asked differently in any of this, it is another question."""

    spec: str
    endpoint: str
    """The server's address: the same spec may be asked elsewhere another day."""
    messages: tuple[tuple[str, str], ...]
    system: str | None
    max_tokens: int
    sample: int

    @classmethod
    def of(cls, job: Job, endpoint: Endpoint) -> Question:
        """The question of a job."""
        request = job.request
        return cls(
            spec=job.model.spec,
            endpoint=endpoint.address,
            messages=tuple((message.role, message.content) for message in request.messages),
            system=request.system,
            max_tokens=request.max_tokens,
            sample=request.sample,
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "spec": self.spec,
            "endpoint": self.endpoint,
            "messages": [{"role": role, "content": text} for role, text in self.messages],
            "system": self.system,
            "max_tokens": self.max_tokens,
            "sample": self.sample,
        }

    def key(self) -> str:
        """A digest of all of it.

        What the user says after the first turn tells how programs ended. Its numbers and the
        names of its folders change from run to run, so they don't make another question.
        """
        question = self.to_json()
        for message in question["messages"][1:]:
            if message["role"] == "user":
                message["content"] = _PASSING.sub("#", message["content"])
        text = json.dumps(question, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class LiveModels(Answerer, Protocol):
    """Whoever asks the models themselves."""

    def is_archive(self, model: Model) -> bool:
        """Whether the model's answers are there already, and need no recording."""

    def find_endpoint(self, model: Model) -> Endpoint:
        """Where the model is asked."""

    def find_digest(self, model: Model) -> str | None:
        """The digest of the weights that the server has now; None when it does not say."""


class Library:
    """Answers from recordings where the mode allows it, else from the live models, recorded.

    `mode` is one of settings.RECORD_MODES. A folder that cannot be written costs no answer.
    """

    def __init__(
        self, folder: Path, mode: str, live: LiveModels, versions: Mapping[str, str]
    ) -> None:
        self._folder = folder
        self._mode = mode
        self._live = live
        self._versions = dict(versions)
        self._lock = threading.Lock()
        self._shelves: dict[Path, Mapping[str, list[str]]] = {}
        self.trouble: str | None = None
        """Why a recording could not be written; None while all could."""

    def expect(self, jobs: Sequence[Job]) -> None:
        """Let the live models know what they may be asked."""
        self._live.expect(jobs)

    def answer(self, job: Job, progress: Progress) -> Answer:
        """Find the answer, or ask for it and write it down.

        Raises GenerationFailed and CalledOff.
        """
        if self._live.is_archive(job.model):
            return self._live.answer(job, progress)
        try:
            found = self.find(job)
        except RecordingError as error:
            raise _failed(str(error)) from None
        if found is not None:
            return Answer(found, replayed=True)
        if self._mode == "none":
            raise _failed(
                f"there is no recording of this answer in {self._folder}; "
                "ask for what is missing with --llm-record-mode=new_episodes"
            )
        try:
            answer = self._live.answer(job, progress)
        except GenerationFailed as failed:
            if failed.partial.text or failed.partial.thinking:
                self._write("failed", job, failed.partial, {"failed": str(failed)})
            raise
        place = self._write("recordings", job, answer.recording, {})
        return replace(answer, recording=_sign(answer.recording, place))

    def find(self, job: Job) -> Recording | None:
        """The newest recording of this question, by the weights that the server has now.

        None when there is none, or the mode is to ask for every answer.
        Raises RecordingError, and GenerationFailed when the server cannot be asked.
        """
        if self._mode == "all":
            return None
        digest = self._live.find_digest(job.model) if self._mode == "new_episodes" else None
        for file in self._candidates(job):
            recording = _read(file)
            if digest is None or recording.details.get("digest") in (None, digest):
                return _sign(recording, file.relative_to(self._folder))
        return None

    def list_earlier(self, model: Model) -> list[Recording]:
        """Recordings of this very spec at its server, whatever was asked; at most MOST_EARLIER."""
        folder = self._folder / "recordings" / _slug(model.provider) / _slug(model.name)
        asked = (model.spec, self._live.find_endpoint(model).address)
        recordings = []
        for file in sorted(folder.rglob("*.json"))[:MOST_EARLIER]:
            try:
                data = json.loads(file.read_text(encoding="utf-8"))
                if (data["question"]["spec"], data["question"]["endpoint"]) == asked:
                    recordings.append(read_recording(data))
            except (OSError, ValueError, LookupError, TypeError, RecordingError):
                continue  # whoever needs this one will be told
        return recordings

    def _candidates(self, job: Job) -> Iterator[Path]:
        question = self._question(job)
        folder = self._folder / self._place("recordings", job)
        with self._lock:
            if folder not in self._shelves:
                self._shelves[folder] = _list_shelf(folder)
        start = f"{_slug(job.request.prompt)}-s{question.sample}-{question.key()}"
        for name in self._shelves[folder].get(start, ()):
            yield folder / name

    def _question(self, job: Job) -> Question:
        return Question.of(job, self._live.find_endpoint(job.model))

    def _place(self, shelf: str, job: Job) -> Path:
        """Within the folder."""
        task = Path(*(_slug(part) for part in job.request.task.split("/")))
        return Path(shelf, _slug(job.model.provider), _slug(job.model.name)) / task

    def _write(
        self, shelf: str, job: Job, recording: Recording, remarks: Mapping[str, str]
    ) -> Path | None:
        """Write a recording, whole or not at all, and tell where in the folder.

        A failure is kept for the end of the run; None then.
        """
        question = self._question(job)
        moment = datetime.now(UTC)
        name = (
            f"{_slug(job.request.prompt)}-s{question.sample}-{question.key()}-"
            f"{moment:%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}.json"
        )
        data = {
            **recording.to_json(),
            **remarks,
            "recorded_at": moment.isoformat(timespec="milliseconds"),
            "model": job.model.label,
            "task": job.request.task,
            "prompt": job.request.prompt,
            "question": question.to_json(),
            "versions": self._versions,
        }
        text = json.dumps(data, indent=1)  # in ASCII: half an emoji has no other form in a file
        try:
            self._furnish()
            place = self._place(shelf, job) / name
            write_whole(self._folder / place, [text])
        except OSError as error:
            reason = error.strerror or str(error)
            self.trouble = f"{self._folder}: recordings could not be written: {reason}"
            return None
        return place

    def _furnish(self) -> None:
        with self._lock:
            for name, text in (("README.md", README), (".gitignore", "*\n")):
                if not (self._folder / name).exists():
                    write_whole(self._folder / name, [text])


def _list_shelf(folder: Path) -> Mapping[str, list[str]]:
    """What a folder holds: prompt, sample and key of a question → its files, the newest first.

    Read once for each folder, since a run asks for a task's samples one after the other.
    """
    shelf: dict[str, list[str]] = {}
    if folder.is_dir():
        for name in sorted((entry.name for entry in os.scandir(folder)), reverse=True):
            if name.endswith(".json") and not name.startswith("."):
                shelf.setdefault(name.rsplit("-", 2)[0], []).append(name)
    return shelf


def _sign(recording: Recording, place: Path | None) -> Recording:
    """The recording, with where it lies among its details."""
    if place is None:
        return recording
    return replace(recording, details={**recording.details, "recording": place.as_posix()})


def _read(file: Path) -> Recording:
    try:
        return read_recording(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecordingError) as error:
        raise RecordingError(f"{file} cannot be read: {error}") from None


def _failed(message: str) -> GenerationFailed:
    return GenerationFailed(ProviderError(message, kind="missing"), Recording(text=""))


def _slug(name: str) -> str:
    """A name that any file system takes; told apart by the key where two become one."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[:80] or "_"
