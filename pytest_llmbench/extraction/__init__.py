"""From an answer's text to files."""

from __future__ import annotations

from pytest_llmbench.extraction.extract import extract_files
from pytest_llmbench.extraction.result import Extraction

__all__ = ["Extraction", "extract_files"]
