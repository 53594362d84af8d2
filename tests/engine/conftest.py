"""llama.cpp's server with a tiny model, started once for all tests that ask for it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from llama_engine import Engine, run_engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A running server; tests that ask for it are skipped where it is not installed."""
    missing = [name for name in ("llama_cpp", "gguf") if not importlib.util.find_spec(name)]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}: pip install --group engine")
    with run_engine(tmp_path_factory.mktemp("engine")) as running:
        yield running
