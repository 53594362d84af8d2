"""What a provider is: how one kind of server is found, opened and asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from pytest_llmbench.generation.chunks import Chunk
from pytest_llmbench.generation.recording import Recording
from pytest_llmbench.generation.request import Request
from pytest_llmbench.models import Model

Kind: TypeAlias = Literal["local", "cloud", "offline"]

FaultKind: TypeAlias = Literal[
    "setup",  # no key, no SDK, a parameter that this provider does not know
    "unreachable",  # no server there
    "model",  # the server has no such model, or will not serve it
    "rate-limited",  # 429
    "overloaded",  # 5xx, 529
    "rejected",  # another 4xx: the request itself
    "context-overflow",  # the prompt did not fit, or was cut without a word
    "broken",  # the stream tore, was garbled, or ended without its end marker
    "stalled",  # no byte for too long
    "timeout",  # the whole generation took too long
    "missing",  # an offline model has no answer to this task
    "unaffordable",  # not asked: the cap on the run's cost would be passed
]

RETRYABLE: frozenset[FaultKind] = frozenset(
    {"unreachable", "rate-limited", "overloaded", "broken", "stalled"}
)


class ProviderError(Exception):
    """The surroundings failed: the model was never heard, or not to the end.

    Its text is one line for a person: what failed, where, and what to do.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: FaultKind,
        status: int | None = None,
        retry_after_s: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        """The HTTP status, where there was one."""
        self.retry_after_s = retry_after_s
        """How long the server asked to wait; None when it did not say."""
        self.retryable = kind in RETRYABLE if retryable is None else retryable


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is asked, and how many requests may run there at once."""

    address: str
    """The base URL; for offline models the provider's name."""
    kind: Kind
    concurrency: int


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What the server says about the model that it will use. None: it does not say."""

    name: str | None = None
    digest: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    """The context that was really fitted, in tokens."""
    warm: bool | None = None
    """True when the model is in memory and the next request will not wait for it."""
    load_s: float | None = None
    """Seconds that loading took just now, outside any generation's clock."""
    details: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look at the server tells of a model, with nothing loaded. None: it does not say."""

    has_key: bool | None = None
    """True when a key is sent; False when none is, as none is needed."""
    listed: bool | None = None
    """True when the server says that it has the model. One that says no raises a fault."""
    quantization: str | None = None
    size_bytes: int | None = None
    """The weights, as they lie on the server's disk."""
    cache_bytes_per_token: int | None = None
    """The most that each token of the context takes in memory."""
    context_length: int | None = None
    """The context that a question as long as the one given would get, in tokens."""
    longest_context: int | None = None
    """The longest one that the model was made for."""
    longest_answer: int | None = None
    """The most tokens that the server lets an answer have."""
    loaded_bytes: int | None = None
    """What the model takes in memory now; None also when it is not loaded."""
    loaded_gpu_bytes: int | None = None
    """The part of it in the memory of GPUs."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds."""

    total_s: float
    """For a whole generation, first byte to last."""
    stall_s: float
    """For the next byte."""
    connect_s: float = 5.0


class Session(Protocol):
    """One model, opened: SDK imported, client built. Used by as many threads as its
    endpoint allows requests at once."""

    def prepare(self, request: Request, patience: Patience) -> ServedModel:
        """Do all that must not be timed: reach the server, load the model, warm the connection.

        Called before each generation; cheap when there is nothing to do.
        Raises ProviderError.
        """

    def find_digest(self) -> str | None:
        """The digest of the weights that the server has now; None when it does not say.

        Loads nothing. Raises ProviderError.
        """

    def stream(self, request: Request, patience: Patience) -> Iterator[Chunk]:
        """Ask, and yield each piece as it arrives; the last is End.

        The request is sent at the first `next()`, with the SDK's own retries off.
        A stream that ends without End was cut. Raises ProviderError.
        """

    def close(self) -> None:
        """Drop the connections; a stream in another thread ends with an error."""


@runtime_checkable
class Inspectable(Protocol):
    """A session that can look at its server. None has to: what it would tell is not known then."""

    def inspect(self, request: Request, patience: Patience) -> Facts:
        """What the server tells of the model, in the light of the longest request.

        Loads nothing and generates nothing. Raises ProviderError, with the remedy in its text.
        """


@runtime_checkable
class Expectant(Protocol):
    """A session that wants to know what it will be asked, to get ready once for all of it."""

    def expect(self, requests: Sequence[Request]) -> None:
        """All requests that are known so far; more may come. Does nothing but remember."""


@runtime_checkable
class Archive(Protocol):
    """One model whose answers are there already."""

    def recall(self, request: Request) -> Recording:
        """The answer to this task, with its own times.

        Raises ProviderError, of kind `missing` when there is none.
        """


class Provider(Protocol):
    """One kind of server, or of archive."""

    name: str
    """What stands before the `/` of a model spec."""

    def endpoint(self, model: Model) -> Endpoint:
        """Where the model is asked. Pure: no import of an SDK, no network.

        Raises ModelSpecError for parameters that make no sense.
        """

    def open(self, model: Model) -> Session | Archive:
        """Import the SDK, find the key, build the client. Raises ProviderError."""
