"""A dispatcher on this thread's event loop, with a real store, Redis and simulator; no worker processes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import redis
from redis.asyncio import Redis
from sqlalchemy import select, update

from tasks.limits import RedisLimiter
from tasks.providers.composite_provider import CompositeProvider
from tasks.providers.interface import Transport
from tasks.settings import Settings
from tasks.stages.dispatch import call
from tasks.stages.dispatch.dispatcher import Dispatcher
from tasks.stages.dispatch.group_requests import requests_of, reuse_answers
from tasks.stages.dispatch.held_groups import HeldGroup
from tasks.store import batches, chunks, claims, sweep
from tasks.store.engine import Store
from tasks.store.tables import chunk, request
from tasks.store.unlocked import deltas
from tasks.store.values import HeldChunk
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_file, from_items
from tests.support.invariants import check_budget
from tests.support.stack import simulated_models
from workers.simulator import SimulatorProcess

_POLL_S = 0.02


class DispatchHarness:
    """A dispatcher, and a loop in place of Celery and upkeep: it claims waiting chunks and regroups requests.

    Args:
        store: The store.
        redis_url: The Redis of the limits and circuits; other tests may share it.
        simulator: The provider.
        models: What to add to the settings of some of the simulator's models, by name.
        transport: How all models are called.
        **settings: Sections of the settings.
    """

    def __init__(
        self,
        store: Store,
        redis_url: str,
        simulator: SimulatorProcess,
        *,
        models: Mapping[str, Mapping[str, Any]] | None = None,
        transport: Transport = "direct",
        **settings: Any,
    ) -> None:
        added = models or {}
        # Names of its own, so that other tests' limits and circuits are not met in the shared Redis.
        self.suffix = secrets.token_hex(4)
        known = [{**m, **added.get(m["name"], {})} for m in simulated_models(simulator)]
        renamed = [{**m, "name": self.named(m["name"]), "transport": transport} for m in known]
        self.settings = _settings(renamed, settings)
        self.store, self._redis_url = store, redis_url

    @classmethod
    def of_models(
        cls, store: Store, redis_url: str, models: Sequence[Mapping[str, Any]], **settings: Any
    ) -> Self:
        """Return a harness for these entries of `[[models]]`, whose names no other test may use."""
        harness = cls.__new__(cls)
        harness.suffix, harness.settings = "", _settings(models, settings)
        harness.store, harness._redis_url = store, redis_url
        return harness

    def named(self, model: str) -> str:
        """Return the name that one of the simulator's models has in these settings."""
        return f"{model}-{self.suffix}"

    def submit(self, items: Iterable[object], *, budget: int | None = None, **options: Any) -> str:
        """Submit prompts or request objects; returns the batch's id."""
        chosen = replace(options_for(self.settings, **options), group_size=16)
        parsed = from_items(list(items), self.settings)
        return submit.submit(self.store, parsed, source="test", options=chosen, budget=budget)

    def submit_file(self, path: Path, **options: Any) -> str:
        """Submit a batch file; returns the batch's id."""
        chosen = replace(options_for(self.settings, **options), group_size=16)
        return submit.submit(self.store, from_file(path, self.settings), source="test", options=chosen)

    def row(self, batch_id: str) -> dict[str, Any]:
        """Return the batch's row."""
        with self.store.read() as connection:
            return deltas.with_unfolded(connection, batches.find(connection, batch_id))

    def run(
        self, batch_id: str, *, until: Callable[[dict[str, Any]], bool] | None = None, timeout_s: float = 400
    ) -> dict[str, Any]:
        """Dispatch until the batch has ended, or `until` holds of its row; returns the row.

        Raises:
            AssertionError: The batch was over its budget at some moment.
            TimeoutError: It did not end in time.
        """
        stop = until or (lambda row: row["status"] in batches.FINISHED)
        return asyncio.run(self._run([batch_id], stop, timeout_s))

    def run_together(
        self, batch_id: str, *others: str, then: Callable[[], object] = lambda: None, timeout_s: float = 400
    ) -> dict[str, Any]:
        """Dispatch several batches until the first one has ended, then call a function; returns its row.

        The others come first.
        """

        def stop(row: dict[str, Any]) -> bool:
            ended = row["status"] in batches.FINISHED
            if ended:
                then()
            return ended

        return asyncio.run(self._run([batch_id, *others], stop, timeout_s))

    def run_until(
        self, stop: Callable[[dict[str, Any]], bool], *batch_ids: str, timeout_s: float = 400
    ) -> None:
        """Dispatch several batches until a function of the first one's row returns True."""
        asyncio.run(self._run(batch_ids, stop, timeout_s))

    async def _run(
        self, batch_ids: Sequence[str], stop: Callable[[dict[str, Any]], bool], timeout_s: float
    ) -> Any:
        [batch_id, *_] = batch_ids
        async with Redis.from_url(self._redis_url) as client, asyncio.timeout(timeout_s):
            limiter = RedisLimiter(client, call.breaker_rules_of(self.settings))
            dispatcher = Dispatcher(
                self.settings,
                store=self.store,
                limiter=limiter,
                provider=CompositeProvider(),
                owner="harness",
                on_end=lambda _: None,
            )
            dispatcher.begin()
            while not stop(row := self.row(batch_id)):
                check_budget(row)
                for one in reversed(batch_ids):
                    batch_no = self.row(one)["no"]
                    self._route(batch_no)
                    sweep.regroup(self.store)
                    sweep.wake(self.store)
                    self._hand_over(dispatcher, batch_no)
                await asyncio.sleep(_POLL_S)
            await dispatcher.drain(10)
        return self.row(batch_id)

    def _route(self, batch_no: int) -> None:
        """Run the route stage without a router: the cheapest model comes first."""
        from tasks.stages.context import WorkerContext
        from tasks.stages.route import route_chunk

        context = WorkerContext(self.settings)
        context.__dict__["store"] = self.store
        for one in self._queued(batch_no, chunks.ROUTE):
            context.__dict__["vectors"] = NoVectors()
            route_chunk(context, one.id, one.epoch)

    def _hand_over(self, dispatcher: Dispatcher, batch_no: int) -> None:
        for one in self._queued(batch_no, chunks.DISPATCH):
            with self.store.write() as connection:
                held = claims.claim(
                    connection, one.id, one.epoch, stage=chunks.DISPATCH, owner="harness", lease_s=60
                )
            if held is not None:
                self._accept(dispatcher, held)

    def _accept(self, dispatcher: Dispatcher, held: HeldChunk) -> None:
        reuse_answers(self.store, held, owner="harness")
        requests = [one._replace(price=None) for one in requests_of(self.store, held)]
        queue = dispatcher.queue(held.queue.removeprefix("dispatch."))
        group = HeldGroup(held.id, "task", "host", {one.id for one in requests}, trace=held.trace)
        dispatcher.accept(group, queue, requests)

    def _queued(self, batch_no: int, stage: str) -> list[Any]:
        query = select(chunk).where(
            chunk.c.batch_no == batch_no, chunk.c.stage == stage, chunk.c.state == "queued"
        )
        with self.store.read() as connection:
            return list(connection.execute(query))

    def forget(self, part: str) -> None:
        """End every model's `pause` or `open` circuit, and the waiting time of every request."""
        with redis.Redis.from_url(self._redis_url) as client:
            client.delete(*(f"limit:{model.name}:{part}" for model in self.settings.models))
        with self.store.write() as connection:
            connection.execute(update(request).values(next_attempt_at=0))

    def models(self, batch_id: str) -> dict[str, int]:
        """Count the requests that each model answered, by the simulator's names."""
        from tasks.store.summary import by_model

        with self.store.read() as connection:
            found = by_model(connection, self.row(batch_id)["no"])
        return {one.model.removesuffix(f"-{self.suffix}"): one.requests for one in found if one.requests}

    def attempts(self, batch_id: str) -> int:
        """Return the most calls that one request took."""
        query = select(request.c.attempts).where(request.c.batch_no == self.row(batch_id)["no"])
        with self.store.read() as connection:
            return max(connection.execute(query).scalars())


def _settings(models: Sequence[Mapping[str, Any]], sections: dict[str, Any]) -> Settings:
    dispatch = {"backoff_s": 0.05, "in_flight": 64, **sections.pop("dispatch", {})}
    return Settings.model_validate({"models": list(models), "dispatch": dispatch, **sections})


class NoVectors:
    """A vector store for batches that are routed without a router."""

    def drop(self, chunk_id: int, epoch: int) -> None:
        """Do nothing: there are no vectors."""
