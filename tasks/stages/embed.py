"""The embed stage: the prompts of a chunk become vectors, most of them computed once per host."""

from __future__ import annotations

from router_core.cached_encoding import encode_cached
from tasks.stages.context import WorkerContext
from tasks.stages.holding import held_chunk
from tasks.stages.prompts import prompts_of
from tasks.store import batches, chunks


def embed_chunk(context: WorkerContext, chunk_id: int, epoch: int) -> None:
    """Embed one chunk and hand it to the route stage."""
    with held_chunk(context, chunk_id, epoch, chunks.EMBED) as held:
        if held is None:
            return
        with context.store.read() as connection:
            requests = chunks.requests_of(connection, held.id)
        encoded = encode_cached(context.embedder, context.cache, prompts_of(requests))
        context.vectors.put(held.id, held.epoch, encoded.vectors)
        with context.store.write() as connection:
            batches.lock(connection, held.batch_no)
            chunks.pass_on(connection, held, to_stage=chunks.ROUTE)
            batches.count(connection, held.batch_no, embedded=len(requests), cache_hits=encoded.hits)
