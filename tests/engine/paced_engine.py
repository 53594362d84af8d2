"""llama.cpp at a known pace behind the OpenAI dialect, in a process of its own.

The server that comes with llama-cpp-python tells neither counts nor times. This one drives the
same engine, holds each token back until it is due, and reports `timings` as llama.cpp's own
server does.

    python paced_engine.py MODEL.gguf TOKENS_PER_S
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ALIAS = "paced"


@contextmanager
def run_paced_engine(model: Path, tokens_per_s: float) -> Iterator[str]:
    """A running server's base URL; gone afterwards."""
    with subprocess.Popen(
        [sys.executable, __file__, str(model), str(tokens_per_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.kill()


class _Pace:
    """Called by the engine before it draws a token: waits until the token is due."""

    def __init__(self, tokens_per_s: float) -> None:
        self._step_s = 1 / tokens_per_s
        self._due_s = time.perf_counter()
        self.drawn_s: list[float] = []
        """When each token was drawn."""

    def __call__(self, tokens: Any, scores: Any) -> Any:
        self._due_s = max(self._due_s + self._step_s, time.perf_counter())
        time.sleep(max(0.0, self._due_s - time.perf_counter()))
        self.drawn_s.append(time.perf_counter())
        return scores


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: Any
    tokens_per_s: float

    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": [{"id": ALIAS}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        pace = _Pace(self.tokens_per_s)
        for chunk in self._generate(question, pace):
            self._send(chunk)
        drawn_s = pace.drawn_s
        took_ms = (drawn_s[-1] - drawn_s[0]) * 1000
        timings = {"predicted_n": len(drawn_s), "predicted_ms": took_ms}
        usage = {"prompt_tokens": 1, "completion_tokens": len(drawn_s)}
        self._send({"model": ALIAS, "choices": [], "usage": usage, "timings": timings})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _generate(self, question: Mapping[str, Any], pace: _Pace) -> Iterator[dict[str, Any]]:
        limit = question.get("max_tokens") or question.get("max_completion_tokens")
        chunks: Iterator[dict[str, Any]] = self.engine.create_chat_completion(
            question["messages"],
            max_tokens=limit,
            temperature=0.0,
            stream=True,
            logits_processor=[pace],
        )
        return chunks

    def _send(self, chunk: Mapping[str, Any]) -> None:
        self._write(f"data: {json.dumps(chunk)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def main(model: str, tokens_per_s: str) -> None:
    """Serve until killed."""
    import llama_cpp  # noqa: PLC0415  # of the dependency group `engine`

    _Handler.engine = llama_cpp.Llama(model, n_ctx=1024, n_threads=1, verbose=False)
    _Handler.tokens_per_s = float(tokens_per_s)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
