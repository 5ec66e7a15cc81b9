"""A reservation in one statement: it spends from a purse, and locks nothing but that and its own rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from tasks.store.engine import Store
from tasks.store.values import ReservationRequest

# In this order: the chunks, which the sweeper and `cancel` lock before they look at calls; the purse, which
# whoever wants an exact budget deletes; the requests, as they are after the wait for these locks. What the
# purse gave for requests that are not this worker's any more goes back to the batch by the delta.
_STATEMENT = """
WITH asked AS (
  SELECT * FROM json_to_recordset(%(calls)s::json)
    AS asked (request_id bigint, chunk_id bigint, number int, model varchar, worst bigint)
), held AS (
  SELECT id FROM chunk
   WHERE id IN (SELECT chunk_id FROM asked) AND owner = %(owner)s AND state = 'claimed'
   ORDER BY id FOR SHARE
), paid AS (
  UPDATE purse SET amount = purse.amount - %(worst)s
    FROM batch LEFT JOIN batch AS payer ON payer.no = batch.payer_no
   WHERE purse.id = %(purse)s AND purse.owner = %(owner)s AND batch.no = purse.batch_no
     AND batch.status IN ('ingesting', 'in_progress') AND batch.paused_at IS NULL
     AND CASE WHEN purse.amount IS NULL THEN batch.budget IS NULL AND payer.budget IS NULL
              ELSE purse.amount >= %(worst)s END
     AND (SELECT count(*) FROM held) > 0
  RETURNING purse.batch_no, purse.payer_no, purse.amount
), mine AS (
  UPDATE request SET attempts = request.attempts + 1, model_attempts = request.model_attempts + 1
    FROM asked JOIN held ON held.id = asked.chunk_id CROSS JOIN paid
   WHERE request.id = asked.request_id AND request.chunk_id = asked.chunk_id
     AND request.state = 'held' AND request.attempts = asked.number - 1
  RETURNING asked.request_id, asked.number, asked.model, asked.worst, paid.batch_no
), recorded AS (
  INSERT INTO attempt (request_id, number, batch_no, model, state, reserved, sent_at)
  SELECT request_id, number, batch_no, model, 'sent', worst,
         CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)
    FROM mine
), counted AS (
  SELECT count(*) AS calls, coalesce(sum(worst), 0) AS worst FROM mine
), added AS (
  INSERT INTO batch_delta (batch_no, calls, reserved)
  SELECT paid.batch_no, counted.calls,
         counted.worst - CASE WHEN paid.amount IS NULL THEN 0 ELSE %(worst)s END
    FROM paid, counted
  UNION ALL
  SELECT paid.payer_no, 0, counted.worst - CASE WHEN paid.amount IS NULL THEN 0 ELSE %(worst)s END
    FROM paid, counted WHERE paid.payer_no IS NOT NULL
)
SELECT paid.amount, ARRAY(SELECT request_id FROM mine) FROM paid
"""


class FromPurse(NamedTuple):
    """What a reservation got: the ids of its requests, and what the purse has left, None without a bound.

    Of an empty `granted`, nothing can be said: the purse may be gone.
    """

    granted: frozenset[int] = frozenset()
    left: int | None = None


def reserve(store: Store, purse_id: int, calls: Sequence[ReservationRequest], *, owner: str) -> FromPurse:
    """Reserve money from a purse for the calls of one batch, as far as this worker holds their requests.

    It is safe to repeat: what was reserved is not reserved again, and is left to `reservations.reserve`.
    """
    asked = [
        {
            "request_id": one.request_id,
            "chunk_id": one.chunk_id,
            "number": one.number,
            "model": one.model,
            "worst": one.worst,
        }
        for one in calls
    ]
    values = {
        "calls": json.dumps(asked),
        "owner": owner,
        "purse": purse_id,
        "worst": sum(one.worst for one in calls),
    }
    with store.statement() as connection:
        row = connection.exec_driver_sql(_STATEMENT, values).one_or_none()
    return FromPurse() if row is None else FromPurse(frozenset(row[1]), row[0])
