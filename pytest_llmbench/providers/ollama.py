"""Models on an Ollama server, over its native API and the official SDK."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from pytest_llmbench.generation.chunks import (
    Alive,
    Chunk,
    End,
    ServerReport,
    StopReason,
    ThinkingText,
    VisibleText,
)
from pytest_llmbench.generation.request import Message, Request
from pytest_llmbench.models import Model
from pytest_llmbench.providers import http
from pytest_llmbench.providers.context import count_fewest_tokens, count_most_tokens
from pytest_llmbench.providers.ollama_memory import count_cache_bytes_per_token
from pytest_llmbench.providers.ollama_parameters import OllamaWishes, read_wishes
from pytest_llmbench.providers.protocol import (
    Endpoint,
    Facts,
    Patience,
    ProviderError,
    ServedModel,
)

DIGEST_PATIENCE_S = 30.0
CONTEXT_STEP = 4096
"""Contexts are multiples of this, so that prompts of about one length never reload the model."""

POLL_S = 0.05
"""Between two looks whether a model has left the memory."""

NANOSECONDS_PER_S = 1e9

_CONTEXT_REMEDY = "give more with ?num_ctx=, or use a model with a larger context"

_MEMORY_WORDS = re.compile(r"system memory|out of memory|unable to allocate|failed to allocate")

_REHEARSAL = b"""\
{"model": "x", "message": {"role": "assistant", "content": "x"}, "done": false}
{"model": "x", "message": {"role": "assistant", "content": ""}, "done": true}
"""

_STOP_REASONS: Mapping[str, StopReason] = {"stop": "end", "length": "length"}


class OllamaProvider:
    """Models on an Ollama server."""

    name = "ollama"

    def endpoint(self, model: Model) -> Endpoint:
        """Where the model is asked: `?host=`, else OLLAMA_HOST, else this machine."""
        wishes = read_wishes(model)
        return Endpoint(
            address=http.shown(wishes.address),
            kind="cloud" if wishes.remote else "local",
            concurrency=wishes.concurrency,
        )

    def open(self, model: Model) -> OllamaSession:
        """Import the SDK and build a client. Raises ProviderError."""
        wishes = read_wishes(model)
        try:
            import ollama  # noqa: PLC0415  # takes a third of a second
        except ImportError:
            raise ProviderError(
                f"{model.bare_spec}: the SDK is missing; run `pip install 'ollama>=0.6'`",
                kind="setup",
            ) from None
        return OllamaSession(model, wishes, ollama)


@dataclass(frozen=True, slots=True)
class _Abilities:
    """What the server says of a model that need not be loaded."""

    digest: str | None
    quantization: str | None
    trained_context: int | None
    thinks: bool | None
    size_bytes: int | None
    cache_bytes_per_token: int | None
    details: Mapping[str, str | int | None]


@dataclass(slots=True)
class _Call:
    """The time limits of the requests that one thread sends."""

    timeouts: Mapping[str, float | None]
    end_s: float | None
    """When the whole answer must be there, on `time.monotonic`; None for all but answers."""
    deadline: http.Deadline | None = None


class OllamaSession:
    """One model on one server."""

    def __init__(self, model: Model, wishes: OllamaWishes, sdk: Any) -> None:
        import httpx  # noqa: PLC0415  # comes with the SDK

        self._model = model
        self._server = f"{model.provider}/{model.name}"
        self._wishes = wishes
        self._sdk = sdk
        self._httpx = httpx
        self._address = http.shown(wishes.address)
        self._remote = wishes.remote
        self._secrets = (os.environ.get("OLLAMA_API_KEY") or "",)
        self._watch = http.ConnectionWatch()
        self._of_thread = threading.local()
        self._client = self._build_client()
        self._preparing = threading.Lock()
        self._abilities: _Abilities | None = None
        self._num_ctx = int(wishes.options.get("num_ctx", 0))
        self._expected_tokens = 0
        self._fitted: int | None = None
        """The context that the server made of `_num_ctx`; None until it is known."""
        self._asked: set[int] = set()
        self._rehearse()

    def _rehearse(self) -> None:
        """Take one answer without a server: an SDK's first one takes milliseconds longer."""
        canned = self._httpx.Response(200, content=_REHEARSAL)
        client = self._build_client(transport=self._httpx.MockTransport(lambda _: canned))
        request = Request(messages=(Message("user", ""),), max_tokens=1)
        self._allow(Patience(total_s=60.0, stall_s=60.0))
        for part in self._listen(client, request):
            for _ in _read_message(part.message):
                pass
        client.close()

    def _build_client(self, **extra: Any) -> Any:
        options = http.client_options(self._httpx, self._watch, self._wishes.address) | extra
        options["event_hooks"]["request"].append(self._limit)
        options["event_hooks"]["response"].append(self._start_deadline)
        try:
            return self._sdk.Client(
                self._wishes.address, headers=dict(http.PLAIN_HEADERS), **options
            )
        except (ImportError, OSError, ValueError) as error:
            raise ProviderError(
                f"{self._server}: the SDK cannot start: {http.one_line(str(error))}", kind="setup"
            ) from None

    def _allow(self, patience: Patience, *, end_s: float | None = None) -> _Call:
        """Set the time limits of the calling thread's next requests."""
        # The SDK takes limits for a whole client alone, and by itself waits for ever.
        call = _Call(http.timeouts(self._httpx, patience).as_dict(), end_s)
        self._of_thread.call = call
        return call

    def _limit(self, request: Any) -> None:
        request.extensions["timeout"] = self._of_thread.call.timeouts

    def _start_deadline(self, response: Any) -> None:
        call: _Call = self._of_thread.call
        if call.end_s is not None:
            call.deadline = http.Deadline(response, call.end_s - time.monotonic()).start()

    def expect(self, requests: Sequence[Request]) -> None:
        """Remember the largest, so that its context is chosen at once: a change reloads."""
        self._expected_tokens = max(map(_count_context, requests), default=0)

    def prepare(self, request: Request, patience: Patience) -> ServedModel:
        """Fit the context and load the model; with `?cold=true`, unload it instead."""
        with self._preparing:
            self._allow(patience)
            try:
                return self._prepare(request, patience)
            except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
                raise self._explain(error, patience) from None

    def _prepare(self, request: Request, patience: Patience) -> ServedModel:
        abilities = self._abilities = self._abilities or self._look_up()
        if self._remote:
            return replace(self._describe(abilities, None, None), warm=None)
        self._choose_context(request, abilities)
        loaded = self._look_at_memory()
        load_s = None
        if self._wishes.cold:
            if loaded is not None:
                self._unload(patience)
            return self._describe(abilities, None, load_s)
        if loaded is None or loaded.context_length not in (None, self._fitted or self._num_ctx):
            load_s = self._load(patience)
            loaded = self._look_at_memory()
            self._fitted = None if loaded is None else loaded.context_length
        self._check_context(request, self._fitted or self._num_ctx)
        return self._describe(abilities, loaded, load_s)

    def _look_up(self) -> _Abilities:
        shown = self._client.show(self._model.name)
        thinks = None if shown.capabilities is None else "thinking" in shown.capabilities
        if self._wishes.think and thinks is False:
            raise ProviderError(
                f"{self._server}: the model does not think; leave ?think= out", kind="rejected"
            )
        facts = shown.modelinfo or {}
        contexts = [facts[key] for key in facts if key.endswith(".context_length")]
        listed = self._find(self._client.list().models)
        details = shown.details
        return _Abilities(
            digest=listed and listed.digest,
            quantization=details and details.quantization_level,
            trained_context=contexts[0] if contexts else None,
            thinks=thinks,
            size_bytes=listed and listed.size,
            cache_bytes_per_token=count_cache_bytes_per_token(facts),
            details={
                "family": details and details.family,
                "parameter_size": details and details.parameter_size,
            },
        )

    def _find(self, models: Any) -> Any:
        wanted = _full_name(self._model.name)
        return next((each for each in models if _full_name(each.model or "") == wanted), None)

    def _look_at_memory(self) -> Any:
        """The server's account of the loaded model; None when it is not loaded."""
        return self._find(self._client.ps().models)

    def _choose_context(self, request: Request, abilities: _Abilities) -> None:
        """Let the context hold prompt and answer. It never shrinks: a change reloads the model."""
        if "num_ctx" not in self._wishes.options:
            wanted = max(_count_context(request), self._expected_tokens)
            wanted = math.ceil(wanted / CONTEXT_STEP) * CONTEXT_STEP
            wanted = min(wanted, abilities.trained_context or wanted)
            if wanted > self._num_ctx:
                self._num_ctx, self._fitted = wanted, None
        self._check_context(request, self._num_ctx)

    def _check_context(self, request: Request, context: int) -> None:
        fewest = count_fewest_tokens(request)
        if fewest > context:
            raise ProviderError(
                f"{self._server}: the prompt has at least {fewest:,} tokens, "
                f"the context holds {context:,}; {_CONTEXT_REMEDY}",
                kind="context-overflow",
            )

    def _load(self, patience: Patience) -> float:
        """Load the model; the seconds that it took."""
        self._asked.clear()
        # A server that loads a model says nothing until it is done.
        self._allow(replace(patience, stall_s=patience.total_s))
        started_s = time.perf_counter()
        self._client.chat(
            self._model.name,
            messages=[],
            options={"num_ctx": self._num_ctx},
            keep_alive=self._wishes.keep_alive,
        )
        load_s = time.perf_counter() - started_s
        self._allow(patience)
        return load_s

    def _unload(self, patience: Patience) -> None:
        self._asked.clear()
        end_s = time.monotonic() + patience.total_s
        self._client.chat(self._model.name, messages=[], keep_alive=0)
        while self._look_at_memory() is not None:
            if time.monotonic() > end_s:
                raise ProviderError(
                    f"{self._server}: the server did not unload the model "
                    f"within {patience.total_s:g} s",
                    kind="stalled",
                )
            time.sleep(POLL_S)

    def _describe(self, abilities: _Abilities, loaded: Any, load_s: float | None) -> ServedModel:
        memory = _describe_memory(loaded)
        return ServedModel(
            name=self._model.name,
            digest=(loaded and loaded.digest) or abilities.digest,
            quantization=abilities.quantization,
            context_length=memory.pop("context_length", None),
            warm=loaded is not None,
            load_s=load_s,
            details={
                "num_ctx": self._num_ctx or None,
                "trained_context_length": abilities.trained_context,
                "can_think": abilities.thinks,
                "think": self._wishes.think,
                **abilities.details,
                **memory,
                **{f"option_{key}": value for key, value in self._wishes.options.items()},
            },
        )

    def find_digest(self) -> str | None:
        """The digest of the model as it is pulled now."""
        patience = Patience(total_s=DIGEST_PATIENCE_S, stall_s=DIGEST_PATIENCE_S)
        with self._preparing:
            self._allow(patience)
            try:
                listed = self._find(self._client.list().models)
            except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
                raise self._explain(error, patience) from None
        return None if listed is None else str(listed.digest)

    def inspect(self, request: Request, patience: Patience) -> Facts:
        """The model as it is pulled now, and the context that it would get."""
        with self._preparing:
            self._allow(patience)
            try:
                return self._inspect(request)
            except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
                raise self._explain(error, patience) from None

    def _inspect(self, request: Request) -> Facts:
        abilities = self._look_up()
        has_key = any(self._secrets)
        if self._remote:
            return Facts(has_key=has_key, listed=True, longest_context=abilities.trained_context)
        self._choose_context(request, abilities)
        loaded = _describe_memory(self._look_at_memory())
        return Facts(
            has_key=has_key,
            listed=True,
            quantization=abilities.quantization,
            size_bytes=abilities.size_bytes,
            cache_bytes_per_token=abilities.cache_bytes_per_token,
            context_length=self._num_ctx,
            longest_context=abilities.trained_context,
            loaded_bytes=loaded.get("size_bytes"),
            loaded_gpu_bytes=loaded.get("gpu_bytes"),
        )

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        """Ask, and yield each piece as it arrives. Raises ProviderError."""
        # The load of a cold model is part of the answer, and as silent.
        silence_s = patience.total_s if self._wishes.cold else patience.stall_s
        end_s = time.monotonic() + patience.total_s
        call = self._allow(replace(patience, stall_s=silence_s), end_s=end_s)
        try:
            yield from self._read(self._listen(self._client, request), request, patience)
        except Exception as error:  # noqa: BLE001  # whatever the SDK raises becomes a fault
            if call.deadline is not None and call.deadline.over:
                raise http.total_fault(self._server, patience) from None
            raise self._explain(error, patience) from None
        finally:
            if call.deadline is not None:
                call.deadline.cancel()

    def _listen(self, client: Any, request: Request) -> Iterator[Any]:
        """The SDK's parts of one answer; asks at the first, and drains after the last."""
        question = self._build_question(request)
        with closing(client.chat(self._model.name, **question, stream=True)) as parts:
            for part in parts:
                response = self._watch.response
                yield part
                if part.done:
                    http.drain(parts, response)
                    return
        if self._watch.closed:
            raise ConnectionError

    def _build_question(self, request: Request) -> dict[str, Any]:
        messages = [{"role": each.role, "content": each.content} for each in request.messages]
        if request.system is not None:
            messages.insert(0, {"role": "system", "content": request.system})
        return {
            "messages": messages,
            "think": self._wishes.think,
            "keep_alive": self._wishes.keep_alive,
            "options": {
                **self._wishes.options,
                **({"num_ctx": self._num_ctx} if self._num_ctx else {}),
                "num_predict": request.max_tokens,
            },
        }

    def _read(self, parts: Iterator[Any], request: Request, patience: Patience) -> Iterator[Chunk]:
        for place, part in enumerate(parts):
            if place == 0:
                yield self._watch.connected()
            yield from _read_message(part.message)
            if part.done:
                for _ in parts:
                    pass
                yield self._report(part, request)
                yield from self._check_context_was_enough(part, request, patience)
                yield End(_STOP_REASONS.get(part.done_reason or "", "unknown"), part.done_reason)

    def _report(self, part: Any, request: Request) -> ServerReport:
        prompt = hash((request.system, request.messages))
        repeated = prompt in self._asked
        self._asked.add(prompt)
        return ServerReport(
            served_model=part.model,
            input_tokens=part.prompt_eval_count,
            output_tokens=part.eval_count,
            decode_tokens=part.eval_count,
            decode_s=_seconds(part.eval_duration),
            prefill_s=_seconds(part.prompt_eval_duration),
            load_s=_seconds(part.load_duration),
            # A repeated prompt comes from a cache, and the server does not say how much of it.
            extras={"prompt_asked_before": repeated},
        )

    def _check_context_was_enough(
        self, part: Any, request: Request, patience: Patience
    ) -> Iterator[ServerReport]:
        """Raise ProviderError when prompt or answer ran out of the context: servers cut both
        without a word. A model that was cold is described on the way."""
        if self._wishes.cold and not self._remote:
            self._allow(patience)
            facts = _describe_memory(self._look_at_memory())
            self._fitted = facts.get("context_length")
            yield ServerReport(extras=facts)
        context, read = self._fitted or self._num_ctx, part.prompt_eval_count
        if not context or read is None:
            return
        fewest = count_fewest_tokens(request)
        if read < fewest and count_most_tokens(request) > context:
            what = f"the server read {read:,} tokens of a prompt of at least {fewest:,}"
        elif read + (part.eval_count or 0) >= context:
            what = (
                f"prompt and answer filled the context: {read:,} + {part.eval_count or 0:,} tokens"
            )
        else:
            return
        raise ProviderError(
            f"{self._server}: {what}; the context holds {context:,}; {_CONTEXT_REMEDY}",
            kind="context-overflow",
        )

    def _explain(self, error: Exception, patience: Patience) -> ProviderError:
        if isinstance(error, ProviderError):
            return error
        if self._watch.closed:
            return http.closed_fault(self._server)
        if isinstance(error, self._sdk.ResponseError):
            return self._explain_response(error)
        refused = (ConnectionError, self._httpx.ConnectError, self._httpx.ConnectTimeout)
        if isinstance(error, refused):
            return ProviderError(
                f"{self._server}: no Ollama server at {self._address}; is `ollama serve` running?",
                kind="unreachable",
            )
        fault = http.transport_fault(error, self._server, self._address, patience)
        words = http.one_line(str(error), self._secrets)
        return fault or ProviderError(
            f"{self._server}: the answer makes no sense: {type(error).__name__}: {words}",
            kind="broken",
        )

    def _explain_response(self, error: Any) -> ProviderError:
        words, status = http.said(error.error, self._secrets), error.status_code
        if _MEMORY_WORDS.search(words):
            return ProviderError(
                f"{self._server}: not enough memory: {words}; "
                "choose a smaller quantization or a smaller ?num_ctx=",
                kind="model",
                status=status if status > 0 else None,
            )
        if status < 0:
            # An error line in mid-stream, under HTTP status 200.
            kind = http.fault_kind(HTTPStatus.BAD_REQUEST, words)
            kind = "broken" if kind == "rejected" else kind
            return http.status_fault(self._server, HTTPStatus.OK, words, kind=kind)
        return http.status_fault(
            self._server, status, words, self._watch.response.headers, remedy=self._remedy(error)
        )

    def _remedy(self, error: Any) -> str | None:
        status, words = error.status_code, str(error.error)
        if status == HTTPStatus.NOT_FOUND and "model" in words:
            return f"run `ollama pull {self._model.name}`"
        if status == HTTPStatus.NOT_FOUND:
            return f"is {self._address} an Ollama server?"
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return "run `ollama signin`, or set OLLAMA_API_KEY"
        return None

    def close(self) -> None:
        """Drop the connections; streams under way end with a fault."""
        self._watch.shut()
        self._client.close()


def _read_message(message: Any) -> Iterator[Chunk]:
    if message.thinking:
        yield ThinkingText(message.thinking)
    if message.content:
        yield VisibleText(message.content)
    elif not message.thinking:
        yield Alive()


def _describe_memory(loaded: Any) -> dict[str, Any]:
    """What `ps` says of a loaded model, under our names; empty when it is not loaded."""
    if loaded is None:
        return {}
    facts: dict[str, Any] = {"context_length": loaded.context_length}
    if loaded.size:
        facts["size_bytes"] = int(loaded.size)
        facts["gpu_bytes"] = int(loaded.size_vram or 0)
        facts["cpu_share"] = round(1 - facts["gpu_bytes"] / facts["size_bytes"], 3)
    return {name: value for name, value in facts.items() if value is not None}


def _count_context(request: Request) -> int:
    """The tokens that prompt and answer may need together."""
    return count_most_tokens(request) + request.max_tokens


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / NANOSECONDS_PER_S


def _full_name(name: str) -> str:
    """A model's name with its tag, as the server compares names."""
    last = name.rpartition("/")[2]
    return (name if ":" in last else f"{name}:latest").lower()
