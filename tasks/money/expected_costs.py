"""The expected costs of requests on models: those of the choice, its budget and the estimate of a batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from router_core.pricing import CHARACTERS_PER_TOKEN, Price, expected_costs
from tasks.content.bounds import media_of
from tasks.endpoints.registry import endpoint_of

Floats = npt.NDArray[np.float64]


class SizedRequest(Protocol):
    """What is read of a request."""

    @property
    def body(self) -> str:
        """Its canonical JSON."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """The limit of the answer that it sets, in tokens."""
        ...

    @property
    def endpoint(self) -> str:
        """The path of the API that it is for."""
        ...


class Lengths(NamedTuple):
    """Of n requests, the characters of their input [n] and the most tokens of their answers [n]."""

    characters: Sequence[int]
    limits: Sequence[float]


def lengths_of(requests: Iterable[SizedRequest]) -> Lengths:
    """Return the lengths of requests: the system message counts, and data of images as their tokens."""
    pairs = [(characters_of(one.body), _limit(one)) for one in requests]
    return Lengths([characters for characters, _ in pairs], [limit for _, limit in pairs])


def costs_of(lengths: Lengths, prices: Sequence[Price], answers: Floats) -> Floats:
    """Return the expected dollars [n, m], if answers have so many tokens [n, m] where nothing limits them."""
    tokens = np.minimum(np.asarray(lengths.limits, dtype=np.float64)[:, None], answers)
    return expected_costs(lengths.characters, prices, output_tokens=tokens)


def characters_of(body: str) -> int:
    """Return the characters of a canonical body, of which data of images count as their tokens."""
    media = media_of(body)
    return len(body) - media.characters + CHARACTERS_PER_TOKEN * media.likely


def _limit(request: SizedRequest) -> float:
    generates = endpoint_of(request.endpoint).limit_key is not None
    return request.max_tokens or (math.inf if generates else 0.0)
