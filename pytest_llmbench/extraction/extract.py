"""From an answer's text to files: the steps, in order."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_llmbench.extraction.choice import Wanted, choose_files
from pytest_llmbench.extraction.languages import language_of_path
from pytest_llmbench.extraction.paths import UnsafePathError, safe_path
from pytest_llmbench.extraction.python_source import PythonReader
from pytest_llmbench.extraction.reading import read_document
from pytest_llmbench.extraction.reasoning import drop_reasoning
from pytest_llmbench.extraction.refusals import tell_why_no_code
from pytest_llmbench.extraction.result import Extraction
from pytest_llmbench.extraction.stop_reasons import read_stop_reason
from pytest_llmbench.extraction.text import normalise
from pytest_llmbench.extraction.truncation import (
    describe_last_block,
    judge_truncation,
    last_block_seems_cut,
)
from pytest_llmbench.extraction.turns import strip_opening


def extract_files(
    answer: str,
    entry: str = "solution.py",
    expects: Iterable[str] = (),
    defines: Iterable[str] = (),
    stop_reason: str | None = None,
) -> Extraction:
    """Read the files out of a model's answer. Never raises, whatever the answer holds.

    `entry` is the path that a program without a name of its own is saved as; its extension
    tells the language. `expects` are the paths that the task asked for, `defines` the functions
    and classes. `stop_reason` is `end`, `length`, `refused` or a provider's word for one of
    them; None when nobody said.
    """
    stop = read_stop_reason(stop_reason)
    visible = drop_reasoning(strip_opening(normalise(answer)))
    text = strip_opening(visible.text)
    wanted = _read_wanted(entry, expects, defines)
    reader = PythonReader(len(text))
    document = read_document(
        text,
        reader,
        language=language_of_path(wanted.entry),
        defines=wanted.defines,
        was_cut=stop == "length",
    )
    files = choose_files(document, wanted, reader)
    if stop == "length" and (state := describe_last_block(document, reader)):
        files.warn(state)
    reason = None
    if not files.texts:
        reason = tell_why_no_code(
            text,
            refused_a_path=files.refused_a_path,
            is_cut=visible.is_cut,
            was_refused=stop == "refused",
        )
    seems_cut = visible.is_cut or last_block_seems_cut(document, reader)
    return Extraction(
        files=files.texts,
        main=files.texts.get(wanted.entry),
        reason=reason,
        truncated=judge_truncation(stop, seems_cut=seems_cut),
        warnings=tuple(files.warnings),
    )


def _read_wanted(entry: str, expects: Iterable[str], defines: Iterable[str]) -> Wanted:
    paths = []
    for path in (entry, *expects):
        try:
            paths.append(safe_path(path))
        except UnsafePathError:
            paths.append("")
    return Wanted(
        entry=paths[0] or "solution.py",
        expects=tuple(dict.fromkeys(filter(None, paths[1:]))),
        defines=tuple(dict.fromkeys(defines)),
    )
