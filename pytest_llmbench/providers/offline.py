"""Models that need no server: answers from files, the demo's, a task's own reference, and junk."""

from __future__ import annotations

import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pytest_llmbench.generation.recording import Recording, RecordingError, read_recording
from pytest_llmbench.generation.request import Request
from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers.protocol import Archive, Endpoint, ProviderError

SUFFIXES = (".json", ".md", ".txt")

JUNK = """\
I am glad to help! A solution to this needs three things: a clear idea of the requirements,
a careful design, and thorough tests. Shall I begin with the first of them?
"""
"""An answer that deserves no points for any task: it is polite, and holds nothing."""


class FileProvider:
    """`file/<path>`: answers that one already has."""

    name = "file"

    def __init__(self, base: Path) -> None:
        self._base = base

    def endpoint(self, model: Model) -> Endpoint:
        """Each file is its own: answers are read as fast as they are wanted."""
        _refuse_parameters(model)
        return _endpoint(model)

    def open(self, model: Model) -> Archive:
        """Find the file or folder. Raises ProviderError when there is none."""
        path = self._base / Path(model.name).expanduser()
        if not path.exists():
            raise ProviderError(f"{path}: there is no such file or folder", kind="missing")
        return _Files(path)


class DemoProvider:
    """`demo/<name>`: the recordings that ship with the package."""

    name = "demo"

    def endpoint(self, model: Model) -> Endpoint:
        """Raises ModelSpecError for a name that is no demo."""
        _refuse_parameters(model)
        names = sorted(each.name for each in _demo_folder().iterdir() if _is_demo(each))
        if model.name not in names:
            known = ", ".join(names)
            raise ModelSpecError(f"{model.bare_spec!r}: there is no such demo; there are {known}")
        return _endpoint(model)

    def open(self, model: Model) -> Archive:
        """Find the demo's folder."""
        return _Files(_demo_folder() / model.name)


class OwnAnswersProvider:
    """`offline/reference` and `offline/junk`: what audits a suite."""

    name = "offline"

    def endpoint(self, model: Model) -> Endpoint:
        """Raises ModelSpecError for another name."""
        _refuse_parameters(model)
        if model.name not in {"reference", "junk"}:
            raise ModelSpecError(f"{model.bare_spec!r}: write reference or junk")
        return _endpoint(model)

    def open(self, model: Model) -> Archive:
        """The archive of this name."""
        return _References() if model.name == "reference" else _Junk()


class _Files:
    """A file that answers every task, or a folder with a file for each."""

    def __init__(self, path: Path | Traversable) -> None:
        self._path = path

    def recall(self, request: Request) -> Recording:
        if self._path.is_file():
            return _read(self._path)
        for suffix in SUFFIXES:
            file = self._path.joinpath(*f"{request.task}{suffix}".split("/"))
            if file.is_file():
                return _read(file)
        raise ProviderError(
            f"{self._path} holds no answer to the task {request.task!r}: "
            f"no {request.task}.json, .md or .txt",
            kind="missing",
        )


class _References:
    def recall(self, request: Request) -> Recording:
        if request.reference is None:
            raise ProviderError(
                f"the task {request.task!r} names no reference= solution", kind="missing"
            )
        return Recording(text=request.reference, stop_reason="end")


class _Junk:
    def recall(self, request: Request) -> Recording:  # noqa: ARG002  # the same for every task
        return Recording(text=JUNK, stop_reason="end")


def _read(file: Path | Traversable) -> Recording:
    try:
        text = file.read_text(encoding="utf-8")
        if file.name.endswith(".json"):
            return read_recording(json.loads(text))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecordingError) as error:
        raise ProviderError(f"{file} cannot be read: {error}", kind="missing") from error
    return Recording(text=text)


def _refuse_parameters(model: Model) -> None:
    if model.parameters:
        raise ModelSpecError(f"{model.bare_spec!r}: an answer from a file takes no parameters")


def _endpoint(model: Model) -> Endpoint:
    return Endpoint(model.spec, "offline", concurrency=1)


def _demo_folder() -> Traversable:
    return resources.files("pytest_llmbench.demo")


def _is_demo(entry: Traversable) -> bool:
    return entry.is_dir() and not entry.name.startswith(("_", "."))
