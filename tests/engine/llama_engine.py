"""llama.cpp's server on loopback, as llama-cpp-python brings it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tiny_models import Choice, Script, write_model

ALIAS = "tiny"

SCRIPTS: Mapping[str, Script] = {
    "two_sum": (
        "Here it is:\n\n```python\ndef two_sum(nums, target):\n    seen = {}\n"
        "    for i, n in enumerate(nums):\n        if target - n in seen:\n"
        "            return [seen[target - n], i]\n        seen[n] = i\n```\n\n"
        "It runs in O(n); a naïve pass is O(n²). ✓",
    ),
    "fizzbuzz": (
        "<think>The user wants FizzBuzz.\nMultiples of 3 and 5.</think>\n\n",
        "def fizzbuzz(n):\n    return [str(k) for k in range(1, n + 1)]\n",
    ),
    "adder": (
        "def adder(x, y):\n    return x ",
        Choice(((0.7, "+ y"), (0.3, "- y  # oops"))),
        "\n\nprint(adder(1, 2))\n",
    ),
}


@dataclass(frozen=True, slots=True)
class Engine:
    """A running server."""

    base_url: str
    tokens: Mapping[str, int]
    """How many tokens each script has."""


@contextmanager
def run_engine(folder: Path) -> Iterator[Engine]:
    """A server with a model that knows `SCRIPTS`; gone afterwards."""
    model = folder / "tiny.gguf"
    tokens = write_model(model, SCRIPTS)
    options = {"model": model, "model_alias": ALIAS, "host": "127.0.0.1", "port": 0}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    with subprocess.Popen(
        [sys.executable, "-m", "llama_cpp.server", *arguments, "--n_ctx=256", "--n_threads=1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            yield Engine(f"{_await_address(server)}/v1", tokens)
        finally:
            server.kill()


def _await_address(server: subprocess.Popen[str]) -> str:
    assert server.stderr is not None
    log = []
    for line in server.stderr:
        log.append(line)
        if found := re.search(r"running on (http://[\d.:]+)", line):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return found[1]
    raise AssertionError(f"llama.cpp's server did not start:\n{''.join(log)}")
