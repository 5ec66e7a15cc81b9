"""The embed stage: the prompts of a chunk become vectors, most of them computed once per host."""

from __future__ import annotations

from tasks.stages.context import WorkerContext
from tasks.stages.holding import held_chunk
from tasks.stages.prompts import prompts_of
from tasks.stages.route import chooses
from tasks.store import batches, chunks
from tasks.store.routers import roles
from tasks.store.values import HeldChunk


def embed_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Embed one chunk and hand it to the route stage."""
    with held_chunk(context, chunk_id, epoch, chunks.EMBED) as held:
        if held is None:
            return
        with context.store.read() as connection:
            router = context.router_path(roles.read(connection))
            requests = chunks.requests_of(connection, held.id)
        if router is None or not chooses(context.settings, held.options):
            _pass_on(context, held)
            return
        embedder = context.embedder(router)
        encoded = embedder.encode(prompts_of(requests))
        context.vectors.put(held.id, held.epoch, encoded.vectors, embedder.embedder.fingerprint)
        _pass_on(context, held, embedded=len(requests), cache_hits=encoded.hits)


def _pass_on(context: WorkerContext, held: HeldChunk, **counted: int) -> None:
    with context.store.write() as connection:
        batches.lock(connection, held.batch_no)
        chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
        batches.count(connection, held.batch_no, **counted)
