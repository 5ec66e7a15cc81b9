"""The requests that wait for one model in this process."""

from __future__ import annotations

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
        """The request whose turn it is."""
        return next(iter(self._requests.values()))

    def pop(self) -> HeldRequest:
        """Take the first request off the queue."""
        return self._requests.popitem(last=False)[1]

    def remove(self, unwanted: Callable[[HeldRequest], bool]) -> list[HeldRequest]:
        """Take these requests off the queue, wherever they stand, and return them."""
        return [self._requests.pop(request.id) for request in self if unwanted(request)]
