"""What goes wrong with a server of the OpenAI dialect, as one line for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from pytest_llmbench.providers.http import (
    closed_fault,
    fault_kind,
    one_line,
    said,
    status_fault,
    total_fault,
    transport_fault,
)
from pytest_llmbench.providers.presets import LimitField, Target
from pytest_llmbench.providers.protocol import FaultKind, Patience, ProviderError

# What stands in an error's `code` or `type`, and says more than its HTTP status.
_DECISIVE: Mapping[str, FaultKind] = {
    "context_length_exceeded": "context-overflow",
    "exceed_context_size_error": "context-overflow",
    "insufficient_quota": "setup",
    "exceeded_current_quota_error": "setup",
    "insufficient_balance": "setup",
    "model_not_found": "model",
}
# The same, for errors in a stream, which have no status of their own.
_IN_STREAM: Mapping[str, FaultKind] = {
    **_DECISIVE,
    "invalid_api_key": "setup",
    "authentication_error": "setup",
    "invalid_authentication_error": "setup",
    "permission_error": "model",
    "rate_limit_error": "rate-limited",
    "rate_limit_exceeded": "rate-limited",
    "rate_limit_reached_error": "rate-limited",
    "engine_overloaded_error": "overloaded",
    "internal_server_error": "overloaded",
    "overloaded_error": "overloaded",
    "server_error": "overloaded",
    "service_unavailable": "overloaded",
    "unavailable_error": "overloaded",
    "invalid_prompt": "rejected",
    "invalid_request_error": "rejected",
}

_ERROR_STATUSES = range(400, 600)


@dataclass(frozen=True, slots=True)
class Manners:
    """What servers of this dialect disagree on, and tell only when they refuse a request."""

    limit_field: LimitField
    asks_for_usage: bool

    def after_refusal(self, message: str) -> Manners:
        """What to try next; the same when the refusal has other reasons."""
        if self.asks_for_usage and re.search("stream_options|include_usage", message):
            return replace(self, asks_for_usage=False)
        if "max_completion_tokens" in message:
            other: LimitField = (
                "max_tokens"
                if self.limit_field == "max_completion_tokens"
                else "max_completion_tokens"
            )
            return replace(self, limit_field=other)
        return self


@dataclass(frozen=True, slots=True)
class Faults:
    """Turns errors of one server into ProviderErrors."""

    target: Target
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def _server(self) -> str:
        return f"{self.target.preset.name}/{self.target.model}"

    @property
    def _address(self) -> str:
        return self.target.endpoint.address

    def of_status(self, status: int, headers: Mapping[str, str], body: str) -> ProviderError:
        """A response with a status that is no success."""
        error = body_error(body)
        words = said(error or body, self.secrets)
        kind = _named_kind(error, _DECISIVE) or fault_kind(status, words)
        remedy = None
        if status == HTTPStatus.UNAUTHORIZED:
            words, remedy = "", self._advise_on_key()  # the server may quote a part of the key
        elif kind == "setup" and self.target.key_env:
            remedy = f"see the account that the key in {self.target.key_env} belongs to"
        elif status == HTTPStatus.NOT_FOUND and not self.target.is_default_server:
            remedy = "check the model's name and ?base_url= (most end in /v1)"
        return status_fault(self._server, status, words, headers, kind=kind, remedy=remedy)

    def _advise_on_key(self) -> str:
        if self.target.key_env is None:
            return "name the environment variable that holds the key with ?key_env="
        return f"{'check the key in' if self.secrets else 'set'} {self.target.key_env}"

    def in_stream(self, error: object) -> ProviderError:
        """An error that the server sent inside a stream, under HTTP 200."""
        words = said(error, self.secrets) or "no reason given"
        known = error if isinstance(error, Mapping) else {}
        status = _status_in(known)
        kind = _named_kind(known, _IN_STREAM)
        if kind is None:
            kind = fault_kind(status, words) if status else "broken"
        return status_fault(self._server, status or HTTPStatus.OK, words, kind=kind)

    def of_no_stream(self, content_type: str, body: str) -> ProviderError:
        """A success that is no stream at all."""
        error = body_error(body)
        if error:
            return self.in_stream(error)
        return ProviderError(
            f"{self._server}: {self._address} answered with {one_line(content_type)}, "
            "not with a stream; check ?base_url= (most end in /v1)",
            kind="broken",
            retryable=False,
        )

    def of_garbage(self, data: str) -> ProviderError:
        """An event that is no JSON object."""
        return ProviderError(
            f"{self._server}: the stream is garbled: {one_line(data, self.secrets)}",
            kind="broken",
        )

    def of_transport(self, error: Exception, patience: Patience) -> ProviderError:
        """Whatever else the SDK or its HTTP library raises."""
        fault = transport_fault(error, self._server, self._address, patience)
        if fault is None:
            words = one_line(str(error), self.secrets)
            return ProviderError(
                f"{self._server}: the answer makes no sense: {type(error).__name__}: {words}",
                kind="broken",
            )
        if fault.kind == "unreachable" and self.target.endpoint.kind == "local":
            return ProviderError(f"{fault}; {self._advise_on_start()}", kind=fault.kind)
        return fault

    def _advise_on_start(self) -> str:
        start = self.target.preset.start
        if start and self.target.is_default_server:
            return f"start it with: {start.format(model=self.target.model)}"
        return "start the server, or correct ?base_url="

    def of_total(self, patience: Patience) -> ProviderError:
        """The whole answer took too long."""
        return total_fault(self._server, patience)

    def of_closing(self) -> ProviderError:
        """The session was closed while the stream ran."""
        return closed_fault(self._server)

    def of_unknown_model(self, served: Iterable[str]) -> ProviderError:
        """The server is there, and serves other models."""
        return ProviderError(
            f"{self._server}: {self._address} serves no such model; "
            f"it serves: {one_line(', '.join(served))}",
            kind="model",
        )

    def of_adaptation(self, status: int, body: str) -> ProviderError:
        """A refusal that the next attempt will not meet: the request will be put differently."""
        words = said(body_error(body) or body, self.secrets)
        return ProviderError(
            f"{self._server}: the request was refused ({status}: {words}); "
            "the next one leaves that out",
            kind="rejected",
            status=status,
            retry_after_s=0.0,
            retryable=True,
        )

    def of_missing_key(self) -> ProviderError:
        """No key where one is needed."""
        return ProviderError(
            f"{self._server}: no key found; set {self.target.key_env}", kind="setup"
        )

    def of_missing_sdk(self) -> ProviderError:
        """The SDK is not installed."""
        return ProviderError(
            f"{self._server}: the SDK is missing; run `pip install 'openai>=3,<4'`", kind="setup"
        )


def body_error(body: str) -> Mapping[str, Any]:
    """The error object in a body, however it is wrapped; empty when there is none."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, Mapping):
        return {}
    error = parsed.get("error")
    if isinstance(error, Mapping):
        return error
    if error:
        return {"message": str(error)}
    return parsed if {"message", "detail"} & parsed.keys() else {}


def _named_kind(error: Mapping[str, Any], names: Mapping[str, FaultKind]) -> FaultKind | None:
    for key in ("code", "type"):
        kind = names.get(str(error.get(key)).lower())
        if kind is not None:
            return kind
    return None


def _status_in(error: Mapping[str, Any]) -> int | None:
    """The HTTP status that an error in a stream names, as a number or as text."""
    code = str(error.get("code"))
    status = int(code) if code.isdecimal() else 0
    return status if status in _ERROR_STATUSES else None
