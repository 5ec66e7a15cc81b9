"""Claims of chunks that are fair among batches, whatever the order of the messages.

Messages come in the order in which chunks were announced: those of a small batch stand behind all of a large
one. So a message says only that there is work in a queue; which batch's is claimed is a matter of turns.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from tasks.errors import UnreadableOptions
from tasks.stages.fair_share import FairShare
from tasks.store import claims, turns
from tasks.store.engine import Store
from tasks.store.isolation import report
from tasks.store.values import HeldChunk

#: the oldest chunks of a batch among which one is chosen; the more, the more often another worker was faster
CHOICES = (4, 16, 64, 256)


class FairClaims:
    """The claims of one worker process, which keeps the turns of each queue by itself."""

    def __init__(self, store: Store, owner: str, lease_s: float) -> None:
        self._store, self._owner, self._lease_s = store, owner, lease_s
        self._shares: defaultdict[str, FairShare] = defaultdict(FairShare)
        #: batches of another Waybill: they wait for a process that can read their options
        self._unreadable: set[int] = set()

    def claim(self, chunk_id: int, epoch: int, *, stage: str) -> HeldChunk | None:
        """Claim a chunk of the batch whose turn it is in the queue of this chunk; None if there is none.

        It is the announced chunk itself where the turn is its batch's.
        """
        for choice in CHOICES:
            try:
                # One transaction: a snapshot of its own for the look would cost as much as the claim.
                with self._store.write() as connection:
                    waiting = turns.waiting(connection, chunk_id, epoch, stage=stage)
                    weights = {no: w for no, w in waiting.weights.items() if no not in self._unreadable}
                    if not weights:
                        return None
                    share = self._shares[waiting.queue]
                    batch_no = share.turn(weights, own=waiting.own)
                    chosen = [(chunk_id, epoch)]
                    if batch_no != waiting.own:
                        chosen = turns.first(connection, waiting.queue, batch_no, limit=choice)
                    held = self._claim(connection, chosen, stage)
            except UnreadableOptions as error:
                self._unreadable.add(batch_no)
                report(f"batch {batch_no}", type(error).__name__)
                continue
            if held is not None:
                share.serve(batch_no, held.size, weights[batch_no])
                return replace(held, weight=weights[batch_no])
        return None

    def _claim(
        self, connection: Connection, chosen: Sequence[tuple[int, int]], stage: str
    ) -> HeldChunk | None:
        if not chosen:
            return None
        chunk_id, epoch = random.choice(chosen)  # for the oldest, all workers would race
        return claims.claim(
            connection, chunk_id, epoch, stage=stage, owner=self._owner, lease_s=self._lease_s
        )
