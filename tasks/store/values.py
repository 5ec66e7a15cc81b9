"""Frozen values that cross between the store and the stages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from router_core.pricing import Price
from tasks.endpoints.endpoint import CHAT_PATH
from tasks.store.batch_options import BatchOptions
from tasks.store.priorities import NORMAL, WEIGHTS


@dataclass(frozen=True, slots=True)
class HeldChunk:
    """A chunk claimed by this worker, with the fencing token of the claim."""

    id: int
    epoch: int
    batch_no: int
    stage: str
    queue: str
    vector_epoch: int
    options: BatchOptions
    #: how many requests it had, and the weight of its batch: see `tasks.store.priorities`
    size: int = 1
    weight: float = WEIGHTS[NORMAL]
    #: how long it waited to be claimed; None where that is not known
    waited_s: float | None = None
    #: the span that made it; None without tracing
    trace: str | None = None


# Tuples where a chunk has hundreds: a frozen dataclass takes several times as long to make.


class Claim(NamedTuple):
    """A request in the chunk that it was claimed in; a process may lose it and hold it in another one."""

    request_id: int
    chunk_id: int


class HeldRequest(NamedTuple):
    """A request inside a held chunk."""

    id: int
    custom_id: str
    body: str
    body_bytes: int
    messages: int
    max_tokens: int | None
    model: str | None
    attempts: int
    model_attempts: int
    chunk_id: int
    batch_no: int
    #: its model's price when the batch was submitted; None: the price in the settings
    price: Price | None = None
    #: the weight of its batch
    weight: float = WEIGHTS[NORMAL]
    #: whether another model may answer it
    fallback: bool = True
    #: how often a worker died with it
    losses: int = 0
    #: the path of the API that it is sent to
    endpoint: str = CHAT_PATH
    #: what becomes of an answer that does not fit, and the batch's own validators
    validate: str = "off"
    validators: tuple[str, ...] = ()
    #: the models that cannot answer it, with the reasons (a JSON object); None: all can
    left_out: str | None = None

    @property
    def claim(self) -> Claim:
        """What this process holds: the request in this chunk, not in a later one."""
        return Claim(self.id, self.chunk_id)


class RoutedRequest(NamedTuple):
    """A routing decision; `predicted` is a JSON text, `ranking` names all able models, the best first."""

    request_id: int
    model: str
    category: str | None
    predicted: str
    ranking: tuple[str, ...]
    gap: float | None
    used_fallback: bool
    reason: str
    #: the chance that this model was chosen; None where nothing was drawn
    propensity: float | None = None
    router_version: str | None = None
    #: canary or champion, while the one is compared with the other
    arm: str | None = None


@dataclass(frozen=True, slots=True)
class ReservationRequest:
    """A call that needs money reserved.

    Attributes:
        chunk_id: The chunk that the request was claimed in; its worker may have lost it and hold another.
        number: The number of the attempt, from 1.
        worst: The worst-case cost in micro-dollars.
    """

    request_id: int
    chunk_id: int
    number: int
    model: str
    worst: int

    @property
    def claim(self) -> Claim:
        """What the call is for."""
        return Claim(self.request_id, self.chunk_id)


class Room(NamedTuple):
    """What a batch's budgets have left, in micro-dollars: now, and if all calls in flight cost nothing."""

    now: float
    at_best: float


#: without a budget
UNLIMITED = Room(math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Call:
    """An earlier call of a request: its model, and the code of its error if it failed."""

    model: str
    error_code: str | None


@dataclass(frozen=True, slots=True)
class ReservationResult:
    """The outcome of a reservation, as ids of requests.

    Attributes:
        granted: The money is reserved, and their attempts are now `sent`.
        waiting: The budget has no room now, but may have when calls in flight have ended.
        refused: The budget has no room even if every call in flight cost nothing.
        lost: This worker holds them no longer: the lease expired, or the batch was cancelled.
        room: What the budgets have left after this reservation.
        purse: The purse that this worker got for its next calls of the batch, if it got one.
    """

    granted: frozenset[int] = field(default_factory=frozenset)
    waiting: frozenset[int] = field(default_factory=frozenset)
    refused: frozenset[int] = field(default_factory=frozenset)
    lost: frozenset[int] = field(default_factory=frozenset)
    room: Room = UNLIMITED
    purse: int | None = None


@dataclass(frozen=True, slots=True)
class RequestResult:
    """The final result of a request, as its outcome stores it.

    Attributes:
        notes: Remarks that the results show under `waybill`, by their keys (`mended`, `dropped` …).
    """

    status: str
    model: str | None = None
    body: str | None = None
    status_code: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    latency_ms: int | None = None
    notes: dict[str, Any] | None = None


#: the note of a request that failed: what its provider objected to (`type`, `code`, `param`)
PROVIDER_ERROR = "provider_error"
#: the error code of a call whose answer does not fit what its request demands, and of the request in the end
INVALID_ANSWER = "invalid_answer"

CANCELLED = RequestResult("cancelled", error_code="batch_cancelled", error_message="the batch was cancelled")


@dataclass(frozen=True, slots=True)
class Requeue:
    """Another try: on the same model, or on the next one where `model` names it."""

    after_s: float
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The result of a worker's hold on a request: what follows, and the call if one was made.

    Attributes:
        next: The request's final result, or another try.
        chunk_id: The chunk in which the worker held it; 0 where no worker held it.
        number: The number of the attempt that the call was, from 1; 0 where no call was made.
        model: The model that was called.
        state: The state of that attempt: `succeeded`, `failed`, or empty where no call was made.
        usage: The counts of the call by kind (`Usage.as_row`).
        cost: What the call cost, in micro-dollars; None where it is unknown, and all that was reserved is
            charged.
        worst: The most that the call can have cost, where its cost is unknown.
        is_bill: Whether the cost is what the provider charged, and so may be above what was reserved.
        answer: An answer that does not fit, to be kept with its attempt, as no outcome holds it.
    """

    batch_no: int
    request_id: int
    next: RequestResult | Requeue
    chunk_id: int = 0
    number: int = 0
    model: str = ""
    state: str = ""
    cost: int | None = 0
    worst: int = 0
    is_bill: bool = False
    status_code: int | None = None
    error_code: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage: dict[str, int | str] | None = None
    latency_ms: int | None = None
    answer: str | None = None

    @property
    def claim(self) -> Claim:
        """What it settles."""
        return Claim(self.request_id, self.chunk_id)
