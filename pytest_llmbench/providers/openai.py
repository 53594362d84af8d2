"""Servers that speak the OpenAI dialect, over the official SDK.

The SDK builds the request, keeps the connections and raises its errors; the events of a stream
are read here. Its own stream objects leave the end of each stream unread, so that no connection
is ever used twice, and cost more time per event.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from pytest_llmbench.generation.chunks import Alive, Chunk, ServerReport
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers import http
from pytest_llmbench.providers.openai_chat import ChatReader, chat_body, count
from pytest_llmbench.providers.openai_faults import Faults, Manners
from pytest_llmbench.providers.openai_responses import ResponsesReader, responses_body
from pytest_llmbench.providers.presets import PRESETS, Preset, Target, resolve_target
from pytest_llmbench.providers.protocol import (
    Endpoint,
    Facts,
    Patience,
    Provider,
    ProviderError,
    ServedModel,
)
from pytest_llmbench.providers.sse import Event, EventDecoder

_IDLE_S = 4.0
"""Servers close a connection that was idle for 5 s or more; then it is worth warming again."""

_HELLO = Request(messages=(Message("user", "Hi"),), max_tokens=1)

_NEEDED_HEADERS = frozenset(
    {
        b"accept",
        b"accept-encoding",
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"host",
        b"user-agent",
    }
)


def openai_providers() -> tuple[Provider, ...]:
    """`openai` and its relatives, one for each row of the table of presets."""
    return tuple(OpenAIProvider(preset) for preset in PRESETS.values())


class OpenAIProvider:
    """One kind of server that speaks the OpenAI dialect."""

    def __init__(self, preset: Preset) -> None:
        self.name = preset.name
        self._preset = preset

    def endpoint(self, model: Model) -> Endpoint:
        """Where the model is asked. Raises ModelSpecError."""
        return resolve_target(self._preset, model).endpoint

    def open(self, model: Model) -> OpenAISession:
        """Find the key, import the SDK, build the client. Raises ProviderError."""
        target = resolve_target(self._preset, model)
        key = os.environ.get(target.key_env, "").strip() if target.key_env else ""
        if not key and target.key_required:
            raise Faults(target).of_missing_key()
        try:
            import openai  # noqa: PLC0415  # takes most of a second
        except ImportError:
            raise Faults(target).of_missing_sdk() from None
        return OpenAISession(target, key, openai)


class StreamReader(Protocol):
    """Turns the events of one stream into chunks."""

    @property
    def ended(self) -> bool:
        """Whether the server said that the answer is over."""

    def read(self, data: Mapping[str, Any]) -> list[Chunk]:
        """What one event holds. Raises ProviderError."""

    def finish(self) -> list[Chunk]:
        """What is left when the stream is over, End last."""


class OpenAISession:
    """One model on one server."""

    def __init__(self, target: Target, key: str, sdk: Any) -> None:
        import httpx2  # noqa: PLC0415  # comes with the SDK

        self._target = target
        self._httpx: Any = httpx2
        self._sdk = sdk
        self._faults = Faults(target, secrets=(key,) if key else ())
        self._has_key = bool(key)
        self._manners = Manners(target.limit_field, asks_for_usage=target.preset.asks_for_usage)
        self._watch = http.ConnectionWatch()
        self._client = self._build_client(key)
        self._of_thread = threading.local()
        self._loading = threading.Lock()
        self._loaded = False
        self._served = ServedModel()
        self._rehearse()

    def prepare(self, request: Request, patience: Patience) -> ServedModel:  # noqa: ARG002  # the seam's
        """Reach the server, check the model's name, warm a connection for this thread.

        A local server is once asked for one token, so that the model is in memory.
        Raises ProviderError.
        """
        local = self._target.endpoint.kind == "local"
        if time.monotonic() - getattr(self._of_thread, "used_at_s", -math.inf) > _IDLE_S:
            with self._translated_faults(patience):
                self._served = self._find_model(patience) if local else self._greet(patience)
            self._note_use()
        if local:
            with self._loading:
                self._loaded = self._loaded or self._load(patience)
        return replace(
            self._served,
            warm=True if self._loaded else None,
            details={**self._details, **self._served.details},
        )

    def find_digest(self) -> str | None:
        """Nothing: this API does not say which weights it serves."""
        return None

    def inspect(self, request: Request, patience: Patience) -> Facts:  # noqa: ARG002  # the seam's
        """What the server's list of models tells; some list nothing."""
        local = self._target.endpoint.kind == "local"
        with self._translated_faults(patience):
            if self._is_openai:
                served = _describe(self._get(self._model_path, patience))
            else:
                served = self._find_model(patience) if local else self._greet(patience)
        size = served.details.get("size_bytes")
        return Facts(
            has_key=self._has_key,
            listed=None if served.name is None else True,
            size_bytes=size if isinstance(size, int) else None,
            context_length=served.context_length,
        )

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        """Ask, and yield each piece as it arrives; the last is End. Raises ProviderError."""
        manners, reader = self._manners, self._open_reader()
        until_s = time.monotonic() + patience.total_s
        with (
            self._translated_faults(patience, manners),
            self._ask(self._client, request, patience, manners) as response,
            http.Deadline(response, until_s - time.monotonic()) as deadline,
        ):
            yield self._watch.connected()
            if "x-request-id" in response.headers:
                yield ServerReport(request_id=response.headers["x-request-id"])
            try:
                yield from self._read(response, reader)
            except self._httpx.TransportError:
                # Once the answer is over, nothing that follows can harm it.
                if not (reader.ended or deadline.over):
                    raise
            if not reader.ended and deadline.over:
                raise self._faults.of_total(patience)
            if not reader.ended and self._watch.closed:
                raise self._faults.of_closing()
        self._note_use()
        yield from reader.finish()

    def close(self) -> None:
        """Drop the connections; a stream in another thread ends with an error."""
        self._watch.shut()
        self._client.close()

    @contextmanager
    def _ask(
        self, client: Any, request: Request, patience: Patience, manners: Manners
    ) -> Iterator[Any]:
        """The HTTP response to `request`, its body unread."""
        if self._target.api == "responses":
            path, body = "/responses", responses_body(request, self._target)
        else:
            path, body = "/chat/completions", chat_body(request, self._target, manners)
        # Not the SDK's `create`: checking a body against its types takes a millisecond of the
        # time to the first token.
        stream = client.post(
            path,
            cast_to=object,
            body={**body, **self._target.extra},
            options={"timeout": http.timeouts(self._httpx, patience)},
            stream=True,
            stream_cls=self._sdk.Stream[object],
        )
        try:
            yield stream.response
        finally:
            stream.response.close()

    def _open_reader(self) -> StreamReader:
        if self._target.api == "responses":
            return ResponsesReader(self._faults)
        return ChatReader(self._faults)

    def _read(self, response: Any, reader: StreamReader) -> Iterator[Chunk]:
        content_type = response.headers.get("content-type", "")
        if "json" in content_type or "html" in content_type:
            body = response.read().decode("utf-8", "replace")
            raise self._faults.of_no_stream(content_type, body)
        decoder = EventDecoder()
        pieces = response.iter_bytes()
        for piece in pieces:
            quiet = True
            for event in decoder.feed(piece):
                if event.data == "[DONE]":
                    http.drain(pieces, response)
                    return
                for chunk in self._read_event(event, reader):
                    quiet = False
                    yield chunk
            if quiet:
                yield Alive()

    def _read_event(self, event: Event, reader: StreamReader) -> list[Chunk]:
        try:
            data = json.loads(event.data)
        except ValueError:
            data = None
        if not isinstance(data, Mapping):
            raise self._faults.of_garbage(event.data)
        if event.name == "error" and "type" not in data and "error" not in data:
            data = {"error": data}
        return reader.read(data)

    def _find_model(self, patience: Patience) -> ServedModel:
        """Ask a local server which models it serves; some do not tell."""
        try:
            answer = self._get("/models", patience)
        except self._sdk.APIStatusError as error:
            if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
                raise
            return ServedModel()
        entries = _entries(answer)
        if not entries:
            return ServedModel()
        for entry in entries:
            if self._target.model in (entry["id"], *(entry.get("aliases") or ())):
                return _describe(entry)
        raise self._faults.of_unknown_model(tuple(str(entry["id"]) for entry in entries))

    def _greet(self, patience: Patience) -> ServedModel:
        """Open a connection to a server in the cloud with the smallest question that there is."""
        try:
            answer = self._get(self._model_path, patience)
        except self._sdk.APIStatusError as error:
            if error.status_code == HTTPStatus.UNAUTHORIZED:
                raise
            # Not every server describes a single model; the real request will tell.
            return ServedModel()
        return _describe(answer)

    @property
    def _model_path(self) -> str:
        return f"/models/{quote(self._target.model, safe='')}"

    def _get(self, path: str, patience: Patience) -> Mapping[str, Any]:
        response = self._client.get(
            path,
            cast_to=self._httpx.Response,
            options={"timeout": http.timeouts(self._httpx, patience)},
        )
        try:
            answer = response.json()
        except ValueError:
            return {}
        return answer if isinstance(answer, Mapping) else {}

    def _load(self, patience: Patience) -> bool:
        """Have a local server bring the model into memory; False when it took no such request."""
        waiting = replace(patience, stall_s=patience.total_s)
        for _ in range(3):
            try:
                for _ in self.stream(_HELLO, waiting):
                    pass
            except ProviderError as error:
                if error.kind != "rejected":
                    raise
                if not error.retryable:
                    return False
            else:
                return True
        return False

    @property
    def _details(self) -> dict[str, str | int | float | bool | None]:
        target = self._target
        details: dict[str, str | int | float | bool | None] = {
            "sdk": f"openai {self._sdk.__version__}",
            "api": target.api,
            "proxy": http.uses_proxy(target.endpoint.address),
            **target.sampling,
        }
        if target.reasoning_effort is not None:
            details["reasoning_effort"] = target.reasoning_effort
        return details

    def _note_use(self) -> None:
        self._of_thread.used_at_s = time.monotonic()

    @contextmanager
    def _translated_faults(
        self, patience: Patience, manners: Manners | None = None
    ) -> Iterator[None]:
        # No `from error`: a chain would carry the request, and with it the key.
        try:
            yield
        except ProviderError:
            raise
        except self._sdk.APIStatusError as error:
            raise self._refusal(error, manners) from None
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
            if self._watch.closed:
                raise self._faults.of_closing() from None
            raise self._faults.of_transport(error, patience) from None

    def _refusal(self, error: Any, manners: Manners | None) -> ProviderError:
        status, body = error.status_code, error.response.text
        if status in (400, 422) and manners is not None and self._target.api == "chat":
            better = manners.after_refusal(body)
            if better != manners:
                self._manners = better
                # Not asked again here: the clock of this attempt runs already.
                return self._faults.of_adaptation(status, body)
        return self._faults.of_status(status, error.response.headers, body)

    def _build_client(self, key: str, **http_options: Any) -> Any:
        address = self._target.endpoint.address
        options = http.client_options(self._httpx, self._watch, address) | http_options
        headers = dict(http.PLAIN_HEADERS)
        if not self._is_openai:
            options["event_hooks"]["request"].append(_drop_headers(keep_key=bool(key)))
            headers["Authorization"] = f"Bearer {key}"
        return self._sdk.OpenAI(
            api_key=key or "none",
            base_url=address,
            max_retries=0,
            default_headers=headers,
            http_client=self._sdk.DefaultHttpxClient(**options),
        )

    @property
    def _is_openai(self) -> bool:
        return self._target.preset.name == "openai" and self._target.is_default_server

    def _rehearse(self) -> None:
        """Have the SDK build one request and drop it; its first takes tens of milliseconds more."""
        answer = self._httpx.Response(200, headers={"content-type": "text/event-stream"})
        transport = self._httpx.MockTransport(lambda _request: answer)
        patience = Patience(total_s=1, stall_s=1)
        with (
            self._build_client("none", transport=transport) as client,
            self._ask(client, _HELLO, patience, self._manners) as response,
        ):
            for _ in self._read(response, self._open_reader()):
                pass


def _drop_headers(*, keep_key: bool) -> Callable[[Any], None]:
    """An event hook against headers that the SDK takes from OpenAI's environment variables."""
    kept = _NEEDED_HEADERS if keep_key else _NEEDED_HEADERS - {b"authorization"}

    def drop(request: Any) -> None:
        raw = request.headers.raw
        request.headers = type(request.headers)([each for each in raw if each[0].lower() in kept])

    return drop


def _entries(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = answer.get("data")
    if not isinstance(entries, list):
        return []
    return [each for each in entries if isinstance(each, Mapping) and "id" in each]


def _describe(entry: Mapping[str, Any]) -> ServedModel:
    """What a server's list of models says of one; each kind of server has its own words."""
    meta = entry.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    lengths = (
        entry.get("max_model_len"),
        entry.get("max_context_length"),
        entry.get("context_window"),
        meta.get("n_ctx"),
    )
    figures = {"parameters": count(meta.get("n_params")), "size_bytes": count(meta.get("size"))}
    name = entry.get("id")
    return ServedModel(
        name=name if isinstance(name, str) else None,
        context_length=next((n for n in map(count, lengths) if n is not None), None),
        details={key: value for key, value in figures.items() if value is not None},
    )
