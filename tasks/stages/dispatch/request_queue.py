"""The requests that wait for one model in this process."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from tasks.stages.fair_share import FairShare
from tasks.store.values import HeldRequest


class RequestQueue:
    """A queue that holds each request once, and serves its batches in turn.

    A process whose lease ran out may hold a request again, in another chunk: then the entry of the chunk that
    it lost is stale, and a call for each would be one too many.
    """

    def __init__(self) -> None:
        #: the requests of each batch that has any, in their order
        self._batches: dict[int, OrderedDict[int, HeldRequest]] = {}
        self._share = FairShare()

    def __len__(self) -> int:
        return sum(map(len, self._batches.values()))

    def __iter__(self) -> Iterator[HeldRequest]:
        return iter([one for requests in self._batches.values() for one in requests.values()])

    def add(self, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        """Queue requests at the end; returns the stale entries that they replace."""
        ids = {request.id for request in requests}
        stale = self.remove(lambda request: request.id in ids) if self._batches else []
        for request in requests:
            self._of(request)[request.id] = request
        return stale

    def put_back(self, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        """Queue requests at the front again; returns those that have become stale."""
        stale = [request for request in requests if request.id in self._batches.get(request.batch_no, ())]
        for request in reversed(requests):
            queued = self._of(request)
            if queued.setdefault(request.id, request) is request:
                queued.move_to_end(request.id, last=False)
        return stale

    def take(self, most: int) -> list[HeldRequest]:
        """Take the first requests of the batch whose turn it is off the queue."""
        if not self._batches or most <= 0:
            return []
        weights = {no: next(iter(requests.values())).weight for no, requests in self._batches.items()}
        first = list(islice(self._batches[self._share.turn(weights)].values(), most))
        self._drop(first)
        return first

    def serve(self, requests: Sequence[HeldRequest]) -> None:
        """Count requests that were taken and got permits: the turn of their batches comes the later."""
        for request in requests:
            self._share.serve(request.batch_no, 1.0, request.weight)

    @property
    def batch_nos(self) -> set[int]:
        """The batches that have requests here."""
        return set(self._batches)

    def of_batch(self, batch_no: int) -> list[HeldRequest]:
        """Return the requests of a batch, which stay in the queue."""
        return list(self._batches.get(batch_no, {}).values())

    def waiting(self, batch_no: int) -> int:
        """Return how many requests of a batch are here."""
        return len(self._batches.get(batch_no, ()))

    def take_probes(self, most: int) -> list[HeldRequest]:
        """Take one request of each batch off the queue, of up to `most` batches, those never sent first.

        Chance chooses among a batch's: those that fail may stand together.
        """
        chosen = []
        for requests in self._batches.values():
            fresh = [one for one in requests.values() if not one.model_attempts]
            chosen.append(random.choice(fresh or list(requests.values())))
        random.shuffle(chosen)
        probes = sorted(chosen, key=lambda request: request.model_attempts > 0)[:most]
        self._drop(probes)
        return probes

    def remove(self, unwanted: Callable[[HeldRequest], bool]) -> list[HeldRequest]:
        """Take these requests off the queue, wherever they stand, and return them."""
        removed = [request for request in self if unwanted(request)]
        self._drop(removed)
        return removed

    def _of(self, request: HeldRequest) -> OrderedDict[int, HeldRequest]:
        return self._batches.setdefault(request.batch_no, OrderedDict())

    def _drop(self, requests: Sequence[HeldRequest]) -> None:
        for request in requests:
            queued = self._batches[request.batch_no]
            del queued[request.id]
            if not queued:
                del self._batches[request.batch_no]
