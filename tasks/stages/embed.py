"""The embed stage: it embeds the prompts of a chunk, with a cache per host."""

from __future__ import annotations

import time

from tasks.stages.candidates import has_choice
from tasks.stages.chunk_lease import claimed_chunk
from tasks.stages.context import WorkerContext
from tasks.stages.prompts import prompts_of
from tasks.store import batches, chunk_requests, chunks
from tasks.store.engine import Store
from tasks.store.routers import roles
from tasks.store.values import HeldChunk

#: The chunks that may wait for the route stage: their vectors use Redis's memory.
MAX_WAITING_CHUNKS = 32
#: The longest wait for the route stage. Without any route worker, embedding continues, but slowly.
MAX_WAIT_S = 5.0
_POLL_S = 0.1


def embed_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Embed one chunk and pass it on to the route stage."""
    with claimed_chunk(context, chunk_id, epoch, chunks.EMBED) as held:
        if held is None:
            return
        with context.store.read() as connection:
            router = context.router_path(roles.read(connection))
            bodies = chunk_requests.bodies_of(connection, held.id)
        if router is None or not has_choice(context.settings, held.options):
            _pass_on(context, held)
            return
        wait_for_route_stage(context.store)
        embedder = context.embedder(router)
        encoded = embedder.encode(prompts_of(bodies))
        context.vectors.put(held.id, held.epoch, encoded.vectors, embedder.embedder.fingerprint)
        _pass_on(context, held, embedded=len(bodies), cache_hits=encoded.hits)


def wait_for_route_stage(store: Store) -> None:
    """Wait until fewer than `MAX_WAITING_CHUNKS` chunks wait for the route stage, at most `MAX_WAIT_S`."""
    deadline = time.monotonic() + MAX_WAIT_S
    while time.monotonic() < deadline:
        with store.read() as connection:
            if chunks.queued(connection, chunks.ROUTE, limit=MAX_WAITING_CHUNKS) < MAX_WAITING_CHUNKS:
                return
        time.sleep(_POLL_S)


def _pass_on(context: WorkerContext, held: HeldChunk, **counters: int) -> None:
    with context.store.write() as connection:
        batches.lock(connection, held.batch_no)
        chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
        batches.count(connection, held.batch_no, **counters)
