"""The requests of a dispatch group, and those of them that earlier batches have answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tasks.formats.determinism import is_deterministic_body
from tasks.formats.requests import request_hash
from tasks.stages.dispatch.answer_checks import expectation
from tasks.store import chunk_requests, chunks, decisions, reuse
from tasks.store.engine import Store
from tasks.store.learning.exploration import EXPLORATION
from tasks.store.reuse import EarlierAnswer
from tasks.store.values import HeldChunk, HeldRequest


def requests_of(store: Store, held: HeldChunk) -> list[HeldRequest]:
    """Return the requests of a claimed group, with what the options of its batch say of them."""
    of_batch = {**held.options.of_request(_model_of(held)), "weight": held.weight}
    with store.read() as connection:
        return [one._replace(**of_batch) for one in chunk_requests.requests_of(connection, held.id)]


def reuse_answers(store: Store, held: HeldChunk, *, owner: str) -> None:
    """End the requests of a claimed group that earlier batches have answered, where its batch asks for that.

    They need no permit, no reservation and no attempt.
    """
    if held.options.reuse_s is None:
        return
    model, requests = _model_of(held), requests_of(store, held)
    wanted = {one.id: _hashes(one, model) for one in requests if _may_reuse(one, held)}
    with store.read() as connection:
        if held.options.explore:  # their answers are labels with a price: see `tasks.store.learning.samples`
            drawn = decisions.with_reason(connection, list(wanted), EXPLORATION)
            wanted = {request_id: each for request_id, each in wanted.items() if request_id not in drawn}
        hashes = [each for of_request in wanted.values() for each in of_request]
        earlier = reuse.find(connection, held, model, hashes, max_age_s=held.options.reuse_s)
    chosen = [
        (request._replace(model=model), answer)
        for request in requests
        if (answer := _fitting(request, wanted.get(request.id, ()), earlier)) is not None
    ]
    if chosen:
        with store.write() as connection:
            reuse.take(connection, chosen, owner=owner)


def _model_of(held: HeldChunk) -> str:
    return held.queue.removeprefix(f"{chunks.DISPATCH}.")


def _may_reuse(request: HeldRequest, held: HeldChunk) -> bool:
    return held.options.reuse_any or is_deterministic_body(request.body, request.endpoint)


def _hashes(request: HeldRequest, model: str) -> list[bytes]:
    """Return the hashes that an equal request has where it was routed, and where it named the model."""
    return [request_hash(name, request.body, request.endpoint) for name in (None, model)]


def _fitting(
    request: HeldRequest, hashes: Sequence[bytes], earlier: Mapping[bytes, Sequence[EarlierAnswer]]
) -> EarlierAnswer | None:
    """Return an answer that would pass the checks of this request; None without one."""
    answers = [answer for each in hashes for answer in earlier.get(each, ())]
    if expectation(request):
        answers = [one for one in answers if one.valid and one.validators == request.validators]
    return next(iter(answers), None)
