"""Our rates against a real engine that runs at a known pace and times itself."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from paced_engine import ALIAS, run_paced_engine
from pytest_llmbench.generation.ask import Progress, RetryPolicy, ask
from pytest_llmbench.generation.clock import SystemClock
from pytest_llmbench.generation.measures import measure_rate
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers.openai import OpenAIProvider
from pytest_llmbench.providers.presets import PRESETS
from pytest_llmbench.providers.protocol import Patience
from tiny_models import write_model

WITHIN = 0.05
COUNTING = " ".join(map(str, range(1000, 1500)))


@pytest.mark.parametrize(("tokens_per_s", "tokens"), [(70, 140), (250, 500)])
def test_the_stream_shows_the_engines_own_rate(
    tmp_path: Path, tokens_per_s: int, tokens: int
) -> None:
    """Counted over the stream alone, as if the engine had not told its own figure."""
    for name in ("llama_cpp", "gguf"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}: pip install --group engine")
    model = tmp_path / "tiny.gguf"
    write_model(model, {"count": (COUNTING,)})
    with run_paced_engine(model, tokens_per_s) as base_url:
        recording = hear(base_url, tokens)
    assert recording.usage.output_tokens == len(recording.pieces) == tokens
    told, _ = measure_rate(recording)
    timing = replace(recording.timing, decode_s=None, decode_tokens=None)
    seen, _ = measure_rate(replace(recording, timing=timing))
    assert (told.method, seen.method) == ("server", "stream")
    assert told.tokens_per_s is not None
    assert told.tokens_per_s <= tokens_per_s * (1 + WITHIN)
    assert seen.tokens_per_s == pytest.approx(told.tokens_per_s, rel=WITHIN)


def hear(base_url: str, max_tokens: int) -> Recording:
    model = Model("paced", "openai", ALIAS, {"base_url": base_url})
    session = OpenAIProvider(PRESETS["openai"]).open(model)
    try:
        return ask(
            session,
            Request((Message("user", "Please count"),), max_tokens=max_tokens),
            patience=Patience(60, 30),
            policy=RetryPolicy(attempts=1),
            clock=SystemClock(),
            progress=Progress(),
            attention=nullcontext(),
        )
    finally:
        session.close()
