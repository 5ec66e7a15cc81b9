"""The provider's ledger: calls received, answered and billed, by model and by prompt."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple


def text_digest(text: str) -> str:
    """Return the BLAKE2b hash of an answer, 16 hex digits."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@dataclass
class ModelCounts:
    """The counts of one model."""

    received: int = 0
    billed: int = 0
    billed_micro_usd: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    by_status: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `GET /_sim/stats` shows."""
        return {**vars(self), "by_status": dict(self.by_status)}


@dataclass
class CallInProgress:
    """A call in progress."""

    status: str = "none"
    """HTTP status of the answer; "none" until there is one, and for ever if the caller hung up first."""


class PromptAttempt(NamedTuple):
    """The number of an attempt at a prompt: 1, 2, …

    Random draws depend on the model's own count, so that the order in which models are called is irrelevant.
    """

    of_all: int
    """Counted over all models; `times` of a directive means this count."""
    of_model: int
    """Counted for this model."""


class Ledger:
    """The counts of all calls; one event loop uses it, so that it needs no lock."""

    def __init__(self) -> None:
        self._models: defaultdict[str, ModelCounts] = defaultdict(ModelCounts)
        self._billed: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._micro_usd: Counter[str] = Counter()
        self._attempts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._replies: defaultdict[str, dict[str, str]] = defaultdict(dict)

    @contextmanager
    def call(self, model: str) -> Iterator[CallInProgress]:
        """Count a call while the block runs; the caller sets its status before the end."""
        counts, call = self._models[model], CallInProgress()
        self._enter(counts)
        try:
            yield call
        finally:
            counts.in_flight -= 1
            counts.by_status[call.status] += 1

    def next_attempt(self, model: str, digest: str) -> PromptAttempt:
        """Count an attempt at the prompt and return its number."""
        counts = self._attempts[digest]
        counts[model] += 1
        return PromptAttempt(counts.total(), counts[model])

    def bill(self, model: str, digest: str, micro_usd: int) -> None:
        """Count a billed call."""
        self._models[model].billed += 1
        self._models[model].billed_micro_usd += micro_usd
        self._billed[digest][model] += 1
        self._micro_usd[digest] += micro_usd

    def record_reply(self, digest: str, reply_id: str, text: str) -> None:
        """Record an answer by the hash of its text."""
        self._replies[digest][reply_id] = text_digest(text)

    def replies(self) -> dict[str, dict[str, str]]:
        """Return the answers to each prompt: `{messages_digest: {reply id: text_digest}}`."""
        return dict(self._replies)

    def stats(self) -> dict[str, Any]:
        """Return the totals and the counts of each model."""
        models = self._models.values()
        return {
            "received": sum(counts.received for counts in models),
            "billed": sum(counts.billed for counts in models),
            "billed_micro_usd": sum(counts.billed_micro_usd for counts in models),
            "models": {name: counts.as_json() for name, counts in self._models.items()},
        }

    def billed(self) -> dict[str, Any]:
        """Return the billed calls for each prompt, by `messages_digest`."""
        return {
            digest: {"calls": models.total(), "models": dict(models), "micro_usd": self._micro_usd[digest]}
            for digest, models in self._billed.items()
        }

    @staticmethod
    def _enter(counts: ModelCounts) -> None:
        counts.received += 1
        counts.in_flight += 1
        counts.peak_in_flight = max(counts.peak_in_flight, counts.in_flight)
