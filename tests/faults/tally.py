"""The invariants that a batch breaks, counted from the store and the provider's records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from tasks.store.engine import Store
from tasks.store.tables import attempt, batch, outcome, request
from tests.support.invariants import END_STATES
from workers.simulator import messages_digest, text_digest


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The invariants of docs/faults.md as numbers; those from `lost` to `leaked` must be 0.

    Attributes:
        requests: Requests of the batch.
        lost: Requests without an end, or without an outcome.
        doubled: Outcomes beyond one of each request.
        wrong: Answers that the provider never gave to that request.
        unledgered: Calls that reached the provider without an attempt on the ledger.
        underpaid: Micro-dollars by which the ledger is below the provider's bill.
        overspent: Micro-dollars by which spent and reserved once were above the budget.
        leaked: Places outside the store that hold a prompt or a key.
        paid_again: Billed calls beyond the first of each prompt.
        unknown: Attempts charged as lost with a worker.
        charged: Attempts that failed and may have been billed.
        timed_out: Those of them that took too long.
    """

    requests: int
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    unledgered: int = 0
    underpaid: int = 0
    overspent: int = 0
    leaked: int = 0
    paid_again: int = 0
    unknown: int = 0
    charged: int = 0
    timed_out: int = 0

    @property
    def broken(self) -> dict[str, int]:
        """The invariants that do not hold."""
        names = ("lost", "doubled", "wrong", "unledgered", "underpaid", "overspent", "leaked")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass(frozen=True)
class ProviderRecords:
    """What the provider has recorded of a batch.

    Attributes:
        stats: Its counters.
        billed: The billed calls of each prompt, by the prompt's digest.
        replies: The digest of each answer, by the prompt's digest and the reply's id.
    """

    stats: Mapping[str, Any]
    billed: Mapping[str, Any]
    replies: Mapping[str, Mapping[str, str]]


def tally(store: Store, batch_id: str, provider: ProviderRecords, *, peak: int = 0, leaked: int = 0) -> Tally:
    """Count what a batch that has ended breaks.

    Args:
        store: The store.
        batch_id: The batch.
        provider: What the provider has recorded of it.
        peak: The most that it had spent and reserved at any moment, in micro-dollars.
        leaked: How many places outside the store hold a prompt or a key.
    """
    with store.read() as connection:
        row = connection.execute(select(batch).where(batch.c.id == batch_id)).mappings().one()
        mine = request.c.batch_no == row["no"]
        requests = connection.execute(select(request).where(mine)).mappings().all()
        ends = connection.execute(select(outcome).where(outcome.c.batch_no == row["no"])).mappings().all()
        attempts = dict(
            connection.execute(
                select(attempt.c.state, func.count())
                .where(attempt.c.batch_no == row["no"])
                .group_by(attempt.c.state)
            ).all()
        )
        paid = select(func.coalesce(func.sum(attempt.c.cost), 0)).where(attempt.c.batch_no == row["no"])
        ledger = int(connection.execute(paid).scalar_one())
        spoilt = select(func.count()).where(
            attempt.c.batch_no == row["no"], attempt.c.state == "failed", attempt.c.cost > 0
        )
        charged = int(connection.execute(spoilt).scalar_one())
        late = spoilt.where(attempt.c.error_code == "timeout")
        timed_out = int(connection.execute(late).scalar_one())
    by_request = Counter(end["request_id"] for end in ends)
    bodies = {r["id"]: r["body"] for r in requests}
    peak = max(peak, row["spent"] + row["reserved"])
    return Tally(
        requests=len(requests),
        lost=sum(r["state"] not in END_STATES or not by_request[r["id"]] for r in requests),
        doubled=sum(number - 1 for number in by_request.values()),
        wrong=sum(not _was_given(end, ends, bodies, provider.replies) for end in ends),
        unledgered=max(0, provider.stats["received"] - sum(attempts.values())),
        underpaid=max(0, provider.stats["billed_micro_usd"] - ledger),
        overspent=0 if row["budget"] is None else max(0, peak - row["budget"]),
        leaked=leaked,
        paid_again=sum(prompt["calls"] - 1 for prompt in provider.billed.values()),
        unknown=attempts.get("unknown", 0),
        charged=charged,
        timed_out=timed_out,
    )


def _was_given(
    end: Mapping[str, Any],
    ends: Any,
    bodies: Mapping[int, str],
    replies: Mapping[str, Mapping[str, str]],
) -> bool:
    """Return whether the provider gave this answer to this prompt; a failure must have no answer."""
    if end["status"] != "succeeded":
        return end["body"] is None
    body = end["body"]
    if end["duplicate_of"] is not None:
        body = next((e["body"] for e in ends if e["request_id"] == end["duplicate_of"]), None)
    if body is None:
        return False
    reply = json.loads(body)
    given = replies.get(messages_digest(json.loads(bodies[end["request_id"]])["messages"]), {})
    return given.get(reply["id"]) == text_digest(reply["choices"][0]["message"].get("content") or "")
