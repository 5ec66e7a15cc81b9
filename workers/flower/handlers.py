"""Flower's pages that Waybill replaces: the broker's, the metrics and the page of an upkeep process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flower.api.tasks import GetQueueLengths
from flower.views.broker import BrokerView
from flower.views.monitor import Metrics
from flower.views.workers import WorkerView
from tornado.web import authenticated

_TEMPLATE = str(Path(__file__).with_name("broker.html"))
#: what the store knows of a queue, see `tasks.store.queues`
_IN_STORE = ("waiting", "requests", "claimed", "oldest_s")


class _Broker:
    """A broker whose queues are completed by what the store holds."""

    def __init__(self, broker: Any, in_store: Any) -> None:
        self._broker, self._in_store = broker, in_store

    async def queues(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the queues: those that workers read, and those that have a backlog but no worker."""
        known = self._in_store()
        rows = await self._broker.queues(sorted({*names, *known}))
        return [{**row, **{key: known.get(row["name"], {}).get(key) for key in _IN_STORE}} for row in rows]


class TrueBacklog:
    """A handler whose broker knows the store's backlog."""

    def get_broker(self) -> _Broker:
        """Return the broker."""
        handler: Any = self
        return _Broker(super().get_broker(), lambda: handler.application.events.state.queues())  # type: ignore[misc]


class QueuesPage(TrueBacklog, BrokerView):
    """The page of the broker."""

    def render(self, template: str, **values: Any) -> None:
        """Render the page, with columns of its own."""
        super().render(_TEMPLATE if template == "broker.html" else template, **values)


class QueueLengths(TrueBacklog, GetQueueLengths):
    """The queues as JSON."""


class GuardedMetrics(Metrics):
    """Flower's metrics, behind its password."""

    @authenticated
    async def get(self) -> None:
        """Return the metrics."""
        await super().get()


class WorkerPage(WorkerView):
    """The page of a worker; upkeep has none, as it takes no remote control."""

    @authenticated
    async def get(self, name: str) -> None:
        """Return the page."""
        if name.startswith("upkeep@"):
            self.redirect(self.reverse_url("workers"))
        else:
            await super().get(name)


_REPLACED = {
    BrokerView: QueuesPage,
    GetQueueLengths: QueueLengths,
    Metrics: GuardedMetrics,
    WorkerView: WorkerPage,
}


def replace_handlers(handlers: list[Any]) -> None:
    """Put these pages in the place of Flower's own, in its list of paths."""
    for index, entry in enumerate(handlers):
        if isinstance(entry, tuple):
            handlers[index] = (entry[0], _REPLACED.get(entry[1], entry[1]), *entry[2:])
        elif entry.handler_class in _REPLACED:
            entry.handler_class = entry.target = _REPLACED[entry.handler_class]
