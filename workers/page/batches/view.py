"""A batch as the page shows it: its state, its counters, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from tasks.batch_api.errors import NotFound
from tasks.store import batches
from tasks.store.api.keys import Key
from tasks.store.batch_progress import Progress
from tasks.store.health import senders
from tasks.store.health.waits import WaitRules
from tasks.store.line_counts import line_counts
from tasks.store.page import batch_list, figures
from tasks.store.page.figures import Figures
from tasks.store.progress import snapshot
from workers.api.batches.objects import status_of
from workers.views.status import lost_text

#: the statuses after which nothing changes, unless it is sent again
ENDED = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class BatchView:
    """A batch that a key may see.

    Attributes:
        row: What `tasks.store.page.batch_list` finds.
        figures: Its figures.
        progress: Its counters; None in a list, and where nothing is stored yet.
        is_own: Whether its texts may be shown, and it may be steered.
        interrupted: Whether its submission stopped before the last line.
    """

    row: Mapping[str, Any]
    figures: Figures
    is_own: bool
    progress: Progress | None = None
    interrupted: bool = False

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.row["id"])

    @property
    def name(self) -> str:
        """What its owner calls it; empty without a name, and for others."""
        return (self.row["run_name"] or "") if self.is_own else ""

    @property
    def of_api(self) -> bool:
        """Whether it was submitted with a key, and has files."""
        return self.row["owner"] is not None

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.row["owner_name"] or self.row["owner"] or batch_list.COMMAND

    @property
    def status(self) -> str:
        """Where it is in its life: OpenAI's word, `paused` or `interrupted`."""
        if self.interrupted:
            return "interrupted"
        if self.is_paused and not self._is_held:
            return "paused"
        return status_of(self.row) if self.of_api else str(self.row["run_status"])

    @property
    def is_stored(self) -> bool:
        """Whether its requests are being stored, or are."""
        return self.row["run_no"] is not None

    @property
    def is_paused(self) -> bool:
        """Whether nothing of it is begun until it is resumed."""
        return self.row["run_paused_at"] is not None and self.row["run_status"] in batches.OPEN

    @property
    def _is_held(self) -> bool:
        """Whether nothing of it is begun only until its last line is stored."""
        return bool(self.row["run_hold"]) and self.row["run_status"] == "ingesting"

    @property
    def is_open(self) -> bool:
        """Whether it can be paused, and its budget be changed."""
        return self.row["run_status"] in batches.OPEN

    @property
    def can_be_cancelled(self) -> bool:
        """Whether there is something to cancel."""
        return self.is_open or (self.row["state"] == "validating" and not self.is_stored)

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in ENDED

    @property
    def total(self) -> int:
        """Its lines."""
        return self._counts["total"]

    @property
    def done(self) -> int:
        """Its lines that have ended, bad ones among them."""
        return self._counts["completed"] + self._counts["failed"]

    @property
    def failed(self) -> int:
        """Its lines that have failed, bad ones among them, without those that were cancelled."""
        return self._counts["failed"] - (self.row["run_cancelled"] or 0)

    @property
    def _counts(self) -> dict[str, int]:
        return line_counts(self.row, "run_")

    @property
    def unanswered(self) -> int:
        """Its requests that could be sent again."""
        return (self.row["run_failed"] or 0) + (self.row["run_cancelled"] or 0)

    @property
    def can_be_retried(self) -> bool:
        """Whether something of it can be sent again."""
        return self.row["run_status"] in batches.FINISHED and self.unanswered > 0

    @property
    def rate(self) -> float | None:
        """Requests per second lately; None where nothing runs."""
        return self.figures.rate if self.is_open and not self.is_paused else None

    @property
    def eta_s(self) -> float | None:
        """The seconds until its end at that rate; None where that is not known."""
        return (self.total - self.done) / self.rate if self.rate else None

    @property
    def saved(self) -> int | None:
        """Micro-dollars saved against the best single model; None where that is not known."""
        return self.figures.parts.single.saved if self.figures.parts.single else None

    @property
    def lost(self) -> str:
        """Why it has saved less than nothing; empty where it has not."""
        return lost_text(self.saved)


def may_read(key: Key, owner: str | None) -> bool:
    """Return whether the texts of a batch may be shown: to its key, or to operators for the command's."""
    return owner == key.id or (owner is None and key.is_operator)


def listed(connection: Connection, key: Key, wanted: batch_list.Filter, *, limit: int) -> list[BatchView]:
    """Return a page of the batches that a key may see."""
    rows = batch_list.page(connection, key, wanted, limit=limit)
    known = figures.of_batches(connection, [row["run_no"] for row in rows if row["run_no"] is not None])
    sent = [row["id"] for row in rows if row["owner"] is None and row["run_status"] == "ingesting"]
    stopped = senders.stopped(connection, sent)
    return [
        BatchView(
            row,
            known.get(row["run_no"], figures.NONE),
            may_read(key, row["owner"]),
            interrupted=row["id"] in stopped,
        )
        for row in rows
    ]


def read(connection: Connection, key: Key, batch_id: str, rules: WaitRules | None = None) -> BatchView:
    """Return a batch; raises NotFound for one that the key may not see."""
    row = batch_list.find(connection, key, batch_id)
    if row is None:
        raise NotFound("batch", batch_id)
    if row["run_no"] is None:
        return BatchView(row, figures.NONE, may_read(key, row["owner"]))
    state = snapshot(connection, batch_id, rules)
    return BatchView(
        row,
        figures.of_batch(connection, row["run_no"]),
        may_read(key, row["owner"]),
        state,
        state.interrupted,
    )
