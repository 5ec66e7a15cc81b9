"""The embed stage: the prompts of a chunk become vectors, most of them computed once per host."""

from __future__ import annotations

import time

from tasks.stages.candidates import chooses
from tasks.stages.chunk_lease import claimed_chunk
from tasks.stages.context import WorkerContext
from tasks.stages.prompts import prompts_of
from tasks.store import batches, chunk_requests, chunks
from tasks.store.engine import Store
from tasks.store.routers import roles
from tasks.store.values import HeldChunk

#: Chunks that may wait for route workers: what they have not taken lies in Redis's memory.
MOST_WAITING = 32
#: With no route worker at all, vectors would expire: embedding goes on, but slowly.
PATIENCE_S = 5.0
_LOOK_S = 0.1


def embed_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Embed one chunk and hand it to the route stage."""
    with claimed_chunk(context, chunk_id, epoch, chunks.EMBED) as held:
        if held is None:
            return
        with context.store.read() as connection:
            router = context.router_path(roles.read(connection))
            bodies = chunk_requests.bodies_of(connection, held.id)
        if router is None or not chooses(context.settings, held.options):
            _pass_on(context, held)
            return
        await_room(context.store)
        embedder = context.embedder(router)
        encoded = embedder.encode(prompts_of(bodies))
        context.vectors.put(held.id, held.epoch, encoded.vectors, embedder.embedder.fingerprint)
        _pass_on(context, held, embedded=len(bodies), cache_hits=encoded.hits)


def await_room(store: Store) -> None:
    """Let the route workers catch up, for a while."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with store.read() as connection:
            if chunks.queued(connection, chunks.ROUTE, limit=MOST_WAITING) < MOST_WAITING:
                return
        time.sleep(_LOOK_S)


def _pass_on(context: WorkerContext, held: HeldChunk, **counted: int) -> None:
    with context.store.write() as connection:
        batches.lock(connection, held.batch_no)
        chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
        batches.count(connection, held.batch_no, **counted)
