"""A settlement in one statement: calls end, and their requests with them, without the batch's lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tasks.store.engine import Store
from tasks.store.values import INVALID_ANSWER, RequestResult, Settlement

# The chunks first: the sweeper and `cancel` lock them before they look at calls. Only calls that are `sent`
# change anything. A bill above the worst case needs the budget's lock, and a request that would be sent again
# must not be where its batch is being cancelled: both are left over.
_STATEMENT = """
WITH settled AS (
  SELECT * FROM json_to_recordset(%(settlements)s::json) AS settled (
    request_id bigint, number int, chunk_id bigint, state varchar, cost bigint, is_bill bool, status_code int,
    error_code varchar, prompt_tokens int, completion_tokens int, usage json, latency_ms int, answer text,
    ends bool, is_invalid bool, is_repaired bool,
    end_status varchar, end_model varchar, end_body text, end_status_code int, end_error_code varchar,
    end_error_message varchar, end_latency_ms int, end_notes json,
    after_ms bigint, next_model varchar)
), held AS (
  SELECT id FROM chunk WHERE id IN (SELECT chunk_id FROM settled) ORDER BY id FOR UPDATE
), live AS (
  UPDATE attempt SET
      state = settled.state, cost = least(coalesce(settled.cost, attempt.reserved), attempt.reserved),
      status_code = settled.status_code, error_code = settled.error_code,
      prompt_tokens = settled.prompt_tokens, completion_tokens = settled.completion_tokens,
      usage = settled.usage, latency_ms = settled.latency_ms, answer = settled.answer
    FROM settled JOIN held ON held.id = settled.chunk_id
         JOIN batch ON batch.no = %(batch_no)s
   WHERE attempt.request_id = settled.request_id AND attempt.number = settled.number
     AND attempt.state = 'sent'
     AND NOT (settled.is_bill AND coalesce(settled.cost, 0) > attempt.reserved)
     AND (settled.ends OR batch.status <> 'cancelling')
  RETURNING attempt.reserved, attempt.cost AS charged, batch.payer_no, settled.*
), moved AS (
  UPDATE request SET
      state = CASE WHEN live.ends THEN live.end_status ELSE 'ready' END, chunk_id = NULL,
      stage = CASE WHEN live.ends THEN request.stage ELSE 'dispatch' END,
      next_attempt_at = CASE WHEN live.ends THEN request.next_attempt_at
        ELSE CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) + live.after_ms END,
      model = coalesce(live.next_model, request.model),
      model_attempts = CASE WHEN live.next_model IS NULL THEN request.model_attempts ELSE 0 END
    FROM live
   WHERE request.id = live.request_id AND request.state = 'held'
  RETURNING request.attempts, live.*
), ended AS (
  INSERT INTO outcome (request_id, batch_no, cost, attempts, notes, status, model, body, status_code,
                       error_code, error_message, latency_ms)
  SELECT request_id, %(batch_no)s, charged, attempts, end_notes, end_status, end_model, end_body,
         end_status_code, end_error_code, end_error_message, end_latency_ms
    FROM moved WHERE ends
  ON CONFLICT DO NOTHING
  RETURNING request_id, status
), emptied AS (
  UPDATE chunk SET state = 'done', lease_until = 0
    FROM held
   WHERE chunk.id = held.id AND chunk.state <> 'done'
     AND NOT EXISTS (SELECT FROM request
                      WHERE request.chunk_id = chunk.id AND request.state = 'held'
                        AND request.id NOT IN (SELECT request_id FROM moved))
), counted AS (
  SELECT (SELECT count(*) FROM live) AS calls,
         (SELECT coalesce(sum(charged), 0) FROM live) AS spent,
         (SELECT coalesce(sum(reserved), 0) FROM live) AS freed,
         (SELECT max(payer_no) FROM live) AS payer_no
), added AS (
  INSERT INTO batch_delta (batch_no, spent, reserved, succeeded, failed, cancelled, invalid_answers, repaired,
                           asked_again, ended)
  SELECT %(batch_no)s, spent, -freed,
         (SELECT count(*) FROM ended WHERE status = 'succeeded'),
         (SELECT count(*) FROM ended WHERE status = 'failed'),
         (SELECT count(*) FROM ended WHERE status = 'cancelled'),
         (SELECT count(*) FROM live WHERE is_invalid),
         (SELECT count(*) FROM live WHERE is_repaired),
         (SELECT count(*) FROM live WHERE is_invalid AND NOT ends),
         (SELECT json_agg(request_id) FROM ended)
    FROM counted WHERE calls > 0
  UNION ALL
  SELECT payer_no, spent, -freed, 0, 0, 0, 0, 0, 0, NULL FROM counted WHERE payer_no IS NOT NULL
)
SELECT request_id, number FROM live
"""
_OF_CALL = (
    "request_id", "number", "chunk_id", "state", "cost", "is_bill", "status_code", "error_code",
    "prompt_tokens", "completion_tokens", "usage", "latency_ms", "answer",
)  # fmt: skip


def settle(store: Store, batch_no: int, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Write the results of these calls, and what follows for their requests; returns what is left over.

    What is left over is to be given to `ledger.settle`. It is safe to repeat.
    """
    values = {"batch_no": batch_no, "settlements": json.dumps([_row(one) for one in settlements])}
    with store.statement() as connection:
        done = {tuple(row) for row in connection.exec_driver_sql(_STATEMENT, values)}
    return [one for one in settlements if (one.request_id, one.number) not in done]


def _row(settlement: Settlement) -> dict[str, Any]:
    call = {name: getattr(settlement, name) for name in _OF_CALL}
    is_invalid = settlement.state == "succeeded" and settlement.error_code == INVALID_ANSWER
    call["is_invalid"] = is_invalid
    following = settlement.next
    if isinstance(following, RequestResult):
        is_repaired = "repaired" in (following.notes or {})
        end = {f"end_{name}": value for name, value in asdict(following).items()}
        return {**call, "ends": True, "is_repaired": is_repaired, **end}
    return {
        **call,
        "ends": False,
        "is_repaired": False,
        "after_ms": int(following.after_s * 1000),
        "next_model": following.model,
    }
