"""Embeddings of more inputs than one call takes: the list is split, and the replies are put together again.

The parts of a request are one attempt in the ledger, whose reservation covers all of them. Where a part
fails, the attempt fails, and is charged what the others have used. Their vectors are kept in this process, so
that its next attempt calls for the missing ones only; another process would pay for all of them again.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from router_core.pricing import Usage
from router_core.pricing.usage import COUNTS
from tasks.capabilities.least_tokens import likely_tokens
from tasks.endpoints.embeddings import EMBEDDINGS, inputs_of, vectors_of
from tasks.providers.errors import InternalError, ProviderError
from tasks.providers.interface import Deployment, Provider, Reply

#: the most parts of one request in flight, and the most replies that are kept for a next attempt
IN_FLIGHT = 4
MAX_KEPT = 32
#: a vector of 4,096 numbers is 100 kB of JSON
_BYTES_PER_INPUT = 100_000

_Body: TypeAlias = Mapping[str, Any]
_Key: TypeAlias = tuple[str, str]


class EmbeddingParts:
    """Calls for embeddings, and what attempts that failed in part have paid for."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, Reply] = OrderedDict()

    async def complete(self, provider: Provider, deployment: Deployment, body: _Body) -> Reply:
        """Make the calls for one request, as `Provider.complete` does; for most requests it is one."""
        parts = list(parts_of(body, deployment))
        room = _BYTES_PER_INPUT * deployment.max_inputs
        deployment = replace(deployment, max_response_bytes=max(deployment.max_response_bytes, room))
        if len(parts) == 1:
            return await provider.complete(deployment, body, endpoint=EMBEDDINGS.path)
        keys = [_key(deployment, part) for part in parts]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        missing = {key: part for key, part in zip(keys, parts, strict=True) if key not in found}
        paid = await self._call(provider, deployment, missing)
        for key in found:
            self._kept.pop(key, None)
        return _joined([(found | paid)[key] for key in keys], list(paid.values()))

    async def _call(
        self, provider: Provider, deployment: Deployment, parts: Mapping[_Key, _Body]
    ) -> dict[_Key, Reply]:
        """Return the replies to all parts; raises the ProviderError of one that failed."""
        keys, paid = list(parts), dict[_Key, Reply]()
        waves = [keys[start : start + IN_FLIGHT] for start in range(0, len(keys), IN_FLIGHT)]
        # The holder of a slot is taken for dead if the parts together take longer than one call may.
        one = replace(deployment, timeout_s=deployment.timeout_s / len(waves))
        for wave in waves:
            calls = [provider.complete(one, parts[key], endpoint=EMBEDDINGS.path) for key in wave]
            results = await asyncio.gather(*calls, return_exceptions=True)
            answers = zip(wave, results, strict=True)
            paid |= {key: reply for key, reply in answers if isinstance(reply, Reply)}
            if errors := [error for error in results if isinstance(error, BaseException)]:
                self._keep(paid)
                raise _failure(errors, list(paid.values()))
        return paid

    def _keep(self, replies: Mapping[_Key, Reply]) -> None:
        self._kept.update(replies)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)


def parts_of(body: _Body, deployment: Deployment) -> Iterator[_Body]:
    """Yield the bodies of the calls for a checked request, each within the limits of the deployment."""
    part: list[Any] = []
    tokens = 0
    for one in inputs_of(body):
        size = likely_tokens(len(one.encode())) if isinstance(one, str) else len(one)
        if part and (len(part) == deployment.max_inputs or tokens + size > deployment.max_inputs_tokens):
            yield {**body, "input": part}
            part, tokens = [], 0
        part.append(one)
        tokens += size
    yield {**body, "input": part}


def _key(deployment: Deployment, part: _Body) -> _Key:
    return deployment.name, json.dumps(part, sort_keys=True)


def _joined(replies: Sequence[Reply], paid: Sequence[Reply]) -> Reply:
    """Return one reply with all vectors, numbered from 0; its usage is that of the parts paid for now."""
    vectors = [vector for reply in replies for vector in vectors_of(reply.body)]
    data = [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]
    body = {**replies[0].body, "data": data, "usage": _counts([reply.body.get("usage") for reply in replies])}
    latency_s = max(reply.latency_s for reply in replies)
    usage = _sum([reply.usage for reply in paid])
    return replace(replies[0], body=body, usage=usage, latency_s=latency_s)


def _counts(blocks: Sequence[Any]) -> dict[str, int]:
    """Return the sums of the usage blocks' counts."""
    usages = [block for block in blocks if isinstance(block, dict)]
    names = dict.fromkeys(name for usage in usages for name in usage if type(usage[name]) is int)
    return {name: sum(usage[name] for usage in usages if type(usage.get(name)) is int) for name in names}


def _sum(usages: Sequence[Usage | None]) -> Usage | None:
    """Return the usage of several calls; None if that of one is unknown."""
    known = [usage for usage in usages if usage is not None]
    if not known or len(known) < len(usages):
        return None
    billed = sum(usage.billed or 0 for usage in known) or None
    tiers = {usage.tier for usage in known}
    counts = {name: sum(getattr(usage, name) for usage in known) for name in COUNTS}
    return Usage(**counts, billed=billed, tier=tiers.pop() if len(tiers) == 1 else None)


def _failure(errors: Sequence[BaseException], paid: Sequence[Reply]) -> BaseException:
    """Return the error of an attempt, with what all of its parts have cost."""
    other = next((error for error in errors if not isinstance(error, ProviderError)), None)
    if isinstance(other, Exception):
        return InternalError(type(other).__name__, maybe_billed=True)
    if other is not None:  # the call was cancelled
        return other
    failed = [error for error in errors if isinstance(error, ProviderError)]
    billed = [error.usage for error in failed if error.maybe_billed]
    error = failed[0]
    if paid or billed:
        error.maybe_billed = True
        error.usage = _sum([*(reply.usage for reply in paid), *billed])
    return error
