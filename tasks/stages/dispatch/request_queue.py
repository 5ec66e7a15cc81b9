"""The requests that wait for one model in this process."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from tasks.store.values import HeldRequest


class RequestQueue:
    """A queue that holds each request once.

    A process whose lease ran out may hold a request again, in another chunk: then the entry of the chunk that
    it lost is stale, and a call for each would be one too many.
    """

    def __init__(self) -> None:
        self._requests: OrderedDict[int, HeldRequest] = OrderedDict()

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[HeldRequest]:
        return iter(list(self._requests.values()))

    def add(self, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        """Queue requests at the end; returns the stale entries that they replace."""
        stale = [self._requests.pop(request.id) for request in requests if request.id in self._requests]
        self._requests.update((request.id, request) for request in requests)
        return stale

    def put_back(self, requests: Sequence[HeldRequest]) -> list[HeldRequest]:
        """Queue requests at the front again; returns those that have become stale."""
        stale = [request for request in requests if request.id in self._requests]
        for request in reversed(requests):
            if self._requests.setdefault(request.id, request) is request:
                self._requests.move_to_end(request.id, last=False)
        return stale

    @property
    def first(self) -> HeldRequest:
        """The first request, which is the next to start."""
        return next(iter(self._requests.values()))

    def pop(self) -> HeldRequest:
        """Take the first request off the queue."""
        return self._requests.popitem(last=False)[1]

    @property
    def batch_nos(self) -> set[int]:
        """The batches that have requests here."""
        return {request.batch_no for request in self._requests.values()}

    def of_batch(self, batch_no: int) -> list[HeldRequest]:
        """Return the requests of a batch, which stay in the queue."""
        return [request for request in self._requests.values() if request.batch_no == batch_no]

    def take_probes(self, most: int) -> list[HeldRequest]:
        """Take one request of each batch off the queue, of up to `most` batches, those never sent first.

        Chance chooses among a batch's: those that fail may stand together.
        """
        by_batch: dict[int, list[HeldRequest]] = {}
        for request in self._requests.values():
            by_batch.setdefault(request.batch_no, []).append(request)
        fresh = {no: [one for one in of_batch if not one.model_attempts] for no, of_batch in by_batch.items()}
        chosen = [random.choice(fresh[no] or of_batch) for no, of_batch in by_batch.items()]
        random.shuffle(chosen)
        probes = sorted(chosen, key=lambda request: request.model_attempts > 0)[:most]
        for request in probes:
            del self._requests[request.id]
        return probes

    def remove(self, unwanted: Callable[[HeldRequest], bool]) -> list[HeldRequest]:
        """Take these requests off the queue, wherever they stand, and return them."""
        return [self._requests.pop(request.id) for request in self if unwanted(request)]
