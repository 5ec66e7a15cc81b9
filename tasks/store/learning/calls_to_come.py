"""How many calls a run of judges still makes: its pairs are chosen one after the other, as verdicts come."""

from __future__ import annotations

import math

from sqlalchemy import Connection, func, select

from tasks.store import batches
from tasks.store.batch_options import BatchOptions
from tasks.store.learning.tables import judged_prompt


def fewest_pairs(pairs: int) -> int:
    """Return with how many of all pairs a prompt can be settled: the best answer beats each of the others."""
    answers = (1 + math.isqrt(1 + 8 * pairs)) // 2
    return min(pairs, answers - 1)


def likely(connection: Connection, batch_no: int, options: BatchOptions) -> int:
    """Return how many calls will probably be added for open prompts, each of which has a pair in flight.

    It is the mean of the fewest pairs and all. Equal answers need no call, which is not known here.
    """
    if options.every_pair:  # all of them are in the store
        return 0
    rows = _pairs(connection, batch_no, "open")
    fewest = sum(number * max(0, fewest_pairs(pairs) - judged - 1) for pairs, judged, number in rows)
    most = sum(number * max(0, pairs - judged - 1) for pairs, judged, number in rows)
    return len(options.models) * (fewest + most)  # two orders of a pair, half of the sum


def most_of_unsettled(connection: Connection, batch_no: int) -> int:
    """Return how many calls all pairs need that this run did not judge, of prompts without a winner.

    What earlier runs have judged needs no call again, which is not known here.
    """
    rows = _pairs(connection, batch_no, "open", "stopped", "failed")
    left = sum(number * (pairs - judged) for pairs, judged, number in rows)
    return 2 * len(batches.options_of(connection, batch_no).models) * left


def _pairs(connection: Connection, batch_no: int, *states: str) -> list[tuple[int, int, int]]:
    """Return (all pairs, judged pairs, number of prompts) of the prompts in these states."""
    query = (
        select(judged_prompt.c.pairs, judged_prompt.c.judged, func.count())
        .where(judged_prompt.c.batch_no == batch_no, judged_prompt.c.state.in_(states))
        .group_by(judged_prompt.c.pairs, judged_prompt.c.judged)
    )
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]
