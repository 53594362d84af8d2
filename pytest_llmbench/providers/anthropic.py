"""Claude, and servers that speak its Messages API, over the official SDK."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pytest_llmbench.generation.chunks import Chunk, ServerReport
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model, ModelSpecError
from pytest_llmbench.providers import http
from pytest_llmbench.providers.anthropic_events import Answer, read_fault
from pytest_llmbench.providers.parameters import base_url, one_of, read_parameters, whole_number
from pytest_llmbench.providers.protocol import (
    Endpoint,
    Facts,
    Patience,
    ProviderError,
    ServedModel,
)

DEFAULT_ADDRESS = "https://api.anthropic.com"

STALE_S = 30.0
"""After so long without a request, a connection may be gone: it is warmed again."""

LEAST_BUDGET_TOKENS = 1024

_THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")

_READERS = {
    "base_url": base_url,
    "budget_tokens": whole_number(LEAST_BUDGET_TOKENS),
    "concurrency": whole_number(1),
    "display": one_of("summarized", "omitted"),
    "effort": one_of("low", "medium", "high", "xhigh", "max"),
    "service_tier": one_of("auto", "standard_only"),
    "thinking": one_of(*_THINKING_TYPES),
}

_REHEARSAL = b"""\
event: message_start
data: {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}

event: content_block_delta
data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}

event: message_stop
data: {"type": "message_stop"}

"""


class AnthropicProvider:
    """Claude over Anthropic's API, or any server that speaks it."""

    name = "anthropic"

    def endpoint(self, model: Model) -> Endpoint:
        """Where the model is asked: `?base_url=`, else ANTHROPIC_BASE_URL, else Anthropic."""
        wishes = _read_wishes(model)
        return Endpoint(
            address=http.shown(wishes.address),
            kind=http.kind_of(wishes.address),
            concurrency=wishes.concurrency,
        )

    def open(self, model: Model) -> AnthropicSession:
        """Import the SDK and let it find its credentials. Raises ProviderError."""
        wishes = _read_wishes(model)
        try:
            import anthropic  # noqa: PLC0415  # takes a second or more
        except ImportError:
            raise ProviderError(
                f"{model.bare_spec}: the SDK is missing; run `pip install 'anthropic>=2,<3'`",
                kind="setup",
            ) from None
        return AnthropicSession(model, wishes, anthropic)


@dataclass(frozen=True, slots=True)
class _Wishes:
    """A spec's parameters, as the API wants them."""

    address: str
    concurrency: int
    body: Mapping[str, Any]
    """What they add to the body of each request."""


def _read_wishes(model: Model) -> _Wishes:
    given = read_parameters(model, _READERS)
    body: dict[str, Any] = {}
    if thinking := _read_thinking(model, given):
        body["thinking"] = thinking
    if "effort" in given:
        body["output_config"] = {"effort": given["effort"]}
    if "service_tier" in given:
        body["service_tier"] = given["service_tier"]
    address = given.get("base_url") or os.environ.get("ANTHROPIC_BASE_URL") or DEFAULT_ADDRESS
    # The SDK adds the version to the path itself.
    address = address.rstrip("/").removesuffix("/v1")
    return _Wishes(address, given.get("concurrency", http.usual_concurrency(address)), body)


def _read_thinking(model: Model, given: Mapping[str, Any]) -> dict[str, Any]:
    """The API's `thinking`; empty when the spec leaves it to the model."""
    details = {key: given[key] for key in ("budget_tokens", "display") if key in given}
    if "thinking" not in given and not details:
        return {}
    kind = given.get("thinking") or ("enabled" if "budget_tokens" in given else "adaptive")
    if kind == "enabled" and "budget_tokens" not in given:
        raise ModelSpecError(
            f"{model.bare_spec}: thinking=enabled needs budget_tokens, such as 4096"
        )
    if kind != "enabled" and "budget_tokens" in given:
        raise ModelSpecError(f"{model.bare_spec}: budget_tokens goes with thinking=enabled alone")
    if kind in ("disabled", "between_tools") and "display" in given:
        raise ModelSpecError(f"{model.bare_spec}: thinking={kind} has no thoughts to display")
    return {"type": kind, **details}


class AnthropicSession:
    """One model over one client of the SDK."""

    def __init__(self, model: Model, wishes: _Wishes, sdk: Any) -> None:
        import httpx2  # noqa: PLC0415  # comes with the SDK

        self._model = model
        self._server = f"{model.provider}/{model.name}"
        self._wishes = wishes
        self._sdk = sdk
        self._httpx = httpx2
        self._watch = http.ConnectionWatch()
        self._client = self._build_client()
        self._address = http.shown(str(self._client.base_url).rstrip("/"))
        self._secrets = tuple(filter(None, (self._client.api_key, self._client.auth_token)))
        self._headers = self._build_headers()
        self._served: ServedModel | None = None
        self._longest_answer: int | None = None
        self._of_thread = threading.local()
        self._rehearse()

    def _build_client(self) -> Any:
        address, why = self._wishes.address, ""
        try:
            client = self._call_sdk(address)
            sent = {name.lower() for name in client.default_headers}
            if client.credentials or sent & {"authorization", "x-api-key"}:
                return client
        except self._sdk.CredentialsError as error:
            why = f": {http.one_line(str(error))}"
        except (self._sdk.AnthropicError, ImportError, OSError, ValueError) as error:
            words = http.one_line(str(error))
            raise ProviderError(
                f"{self._server}: the SDK cannot start: {words}", kind="setup"
            ) from None
        if http.is_local(address):
            # The SDK sends nothing without a key; servers at home want none.
            return self._call_sdk(address, api_key="none")
        raise ProviderError(
            f"{self._server}: no key found{why}; set ANTHROPIC_API_KEY", kind="setup"
        )

    def _call_sdk(self, address: str, api_key: str | None = None, **extra: Any) -> Any:
        options = http.client_options(self._httpx, self._watch, address) | extra
        return self._sdk.Anthropic(
            api_key=api_key,
            # None lets a profile on disk name the server.
            base_url=None if address == DEFAULT_ADDRESS else address,
            max_retries=0,
            http_client=self._sdk.DefaultHttpxClient(**options),
            open_telemetry=False,
        )

    def _rehearse(self) -> None:
        """Take one answer without a server: an SDK's first one takes milliseconds longer."""
        headers = {"content-type": "text/event-stream"}
        canned = self._httpx.Response(200, headers=headers, content=_REHEARSAL)
        transport = self._httpx.MockTransport(lambda _: canned)
        with self._call_sdk(self._wishes.address, api_key="none", transport=transport) as client:
            request = Request(messages=(Message("user", ""),), max_tokens=1)
            for _ in self._ask(client, request, Patience(total_s=60.0, stall_s=60.0)):
                pass

    def _build_headers(self) -> dict[str, str]:
        headers = dict(http.PLAIN_HEADERS)
        if self._address != DEFAULT_ADDRESS and self._client.api_key:
            # The SDK sends a bearer token; other servers read the API's older header.
            headers["X-Api-Key"] = self._client.api_key
        return headers

    def prepare(self, request: Request, patience: Patience) -> ServedModel:  # noqa: ARG002  # the seam's
        """Learn once what the model can do; keep the calling thread's connection warm."""
        idle_s = time.monotonic() - getattr(self._of_thread, "used_s", float("-inf"))
        if self._served is None or idle_s > STALE_S:
            info = self._look_up(patience)
            self._served = self._served or self._describe(info)
            self._longest_answer = getattr(info, "max_tokens", None) or self._longest_answer
            self._of_thread.used_s = time.monotonic()
        return self._served

    def inspect(self, request: Request, patience: Patience) -> Facts:  # noqa: ARG002  # the seam's
        """What Anthropic tells of the model; other servers may tell nothing."""
        info = self._look_up(patience, lists_all=self._address == DEFAULT_ADDRESS)
        if info is not None:
            self._describe(info)  # raises for thoughts that the model does not have
        return Facts(
            has_key=bool(self._secrets) or self._client.credentials is not None,
            listed=None if info is None else True,
            longest_context=getattr(info, "max_input_tokens", None),
            longest_answer=getattr(info, "max_tokens", None),
        )

    def _look_up(self, patience: Patience, *, lists_all: bool = False) -> Any:
        """The server's account of the model; None when it gives none.

        One that lists all its models does not serve what it does not list.
        """
        try:
            return self._client.models.retrieve(
                self._model.name,
                extra_headers=self._headers,
                timeout=http.timeouts(self._httpx, patience),
            )
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
            fault = self._explain(error, patience)
            telling = ("setup", "unreachable", "stalled", *(["model"] if lists_all else []))
            if fault.kind in telling or self._watch.closed:
                raise fault from None
            # Not every server lists its models, and the answer's own request will tell the rest.
            return None

    def _describe(self, info: Any) -> ServedModel:
        details: dict[str, str | int | float | bool | None] = {
            "sdk": f"anthropic {self._sdk.__version__}",
            "proxy": http.uses_proxy(self._wishes.address),
        }
        thinking = self._wishes.body.get("thinking", {})
        details |= {f"thinking_{key}": value for key, value in thinking.items()}
        details |= self._wishes.body.get("output_config", {})
        if info is None:
            return ServedModel(details=details)
        for name in ("lifecycle", "max_tokens"):
            if (value := getattr(info, name, None)) is not None:
                details[name] = value
        self._check_thinking(thinking.get("type"), info)
        return ServedModel(
            name=info.id,
            context_length=getattr(info, "max_input_tokens", None),
            details=details,
        )

    def _check_thinking(self, wanted: str | None, info: Any) -> None:
        capabilities = getattr(info, "capabilities", None)
        types = getattr(getattr(capabilities, "thinking", None), "types", None)
        if wanted is None or types is None:
            return
        takes = [
            name
            for name in _THINKING_TYPES
            if getattr(getattr(types, name, None), "supported", False)
        ]
        if takes and wanted not in takes:
            raise ProviderError(
                f"{self._server}: the model does not take thinking={wanted}; "
                f"it takes {', '.join(takes)}",
                kind="rejected",
            )

    def find_digest(self) -> str | None:
        """Nothing: this API does not say which weights it serves."""
        return None

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        """Ask, and yield each event as it arrives. Raises ProviderError."""
        yield from self._ask(self._client, request, patience)
        self._of_thread.used_s = time.monotonic()

    def _ask(self, client: Any, request: Request, patience: Patience) -> Iterator[Chunk]:
        end_s = time.monotonic() + patience.total_s
        response = None
        deadline = None
        try:
            response = self._send(client, request, patience)
            with http.Deadline(response, end_s - time.monotonic()) as deadline:
                yield self._watch.connected()
                yield from self._read(request, response)
                if deadline.over or self._watch.closed:
                    raise ConnectionError
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
            if deadline is not None and deadline.over:
                raise http.total_fault(self._server, patience) from None
            raise self._explain(error, patience) from None
        finally:
            if response is not None:
                response.close()

    def _send(self, client: Any, request: Request, patience: Patience) -> Any:
        # Not `messages.create`: it warns of old models, which ends suites under `-W error`,
        # and a thread cannot switch warnings off for itself alone.
        stream = client.post(
            "/v1/messages",
            cast_to=object,
            body=self._build_body(request),
            options={
                "headers": self._headers,
                "timeout": http.timeouts(self._httpx, patience),
            },
            stream=True,
            stream_cls=self._sdk.Stream[object],
        )
        return stream.response

    def _build_body(self, request: Request) -> dict[str, Any]:
        body = {
            "model": self._model.name,
            "max_tokens": self._clip(request.max_tokens),
            "messages": [{"role": each.role, "content": each.content} for each in request.messages],
            "stream": True,
            **self._wishes.body,
        }
        if request.system is not None:
            body["system"] = request.system
        return body

    def _clip(self, max_tokens: int) -> int:
        return min(max_tokens, self._longest_answer or max_tokens)

    def _read(self, request: Request, response: Any) -> Iterator[Chunk]:
        kind = response.headers.get("content-type", "text/event-stream")
        if "event-stream" not in kind:
            raise ProviderError(
                f"{self._server}: {self._address} answered with {http.one_line(kind)}, "
                "not with a stream",
                kind="broken",
                retryable=False,
            )
        clipped = self._clip(request.max_tokens)
        extras = {"max_tokens_sent": clipped} if clipped != request.max_tokens else {}
        yield ServerReport(request_id=response.headers.get("request-id"), extras=extras)
        answer = Answer()
        events = self._sdk.Stream.raw_events(response)
        for event in events:
            if event.event == "error":
                raise self._explain_event(event.data)
            yield from answer.read(event.data)
            if answer.ended:
                http.drain(events, response)
                yield answer.end
                return

    def _explain_event(self, data: str) -> ProviderError:
        """The fault behind an error that came under HTTP status 200."""
        words = http.said(data, self._secrets)
        kind = read_fault(data) or http.fault_kind(HTTPStatus.BAD_REQUEST, words)
        return http.status_fault(self._server, HTTPStatus.OK, words, kind=kind)

    def _explain(self, error: Exception, patience: Patience) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        if self._watch.closed:
            return http.closed_fault(self._server)
        if isinstance(error, self._sdk.APIStatusError):
            return self._explain_status(error)
        words = http.one_line(str(error), self._secrets)
        if isinstance(error, self._sdk.CredentialsError):
            return ProviderError(f"{self._server}: no key found: {words}", kind="setup")
        fault = http.transport_fault(error, self._server, self._address, patience)
        return fault or ProviderError(
            f"{self._server}: the answer makes no sense: {type(error).__name__}: {words}",
            kind="broken",
        )

    def _explain_status(self, error: Any) -> ProviderError:
        status, headers = error.status_code, error.response.headers
        words = http.said(error.body, self._secrets)
        if status == HTTPStatus.UNAUTHORIZED:
            remedy = "check the key in ANTHROPIC_API_KEY"
            return http.status_fault(self._server, status, words, remedy=remedy)
        if status == HTTPStatus.PAYMENT_REQUIRED or "credit balance" in words:
            remedy = "add credit to the account"
            return http.status_fault(self._server, status, words, kind="setup", remedy=remedy)
        return http.status_fault(self._server, status, words, headers)

    def close(self) -> None:
        """Drop the connections; streams under way end with a fault."""
        self._watch.shut()
        self._client.close()
