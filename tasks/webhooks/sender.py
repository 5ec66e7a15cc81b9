"""The sender of webhooks: each event at least once, for a day, later and later."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import httpx
from sqlalchemy import RowMapping
from standardwebhooks import Webhook

from tasks.settings import Settings
from tasks.store.api import webhooks
from tasks.store.engine import Store
from tasks.webhooks.targets import Target, of_settings

logger = logging.getLogger(__name__)

_MANY = 500
#: seconds that a target may take to answer, and that one target gets before the others' next events are sent
_TIMEOUT_S, _TURN_S = 10.0, 10.0


class Sender:
    """Sends the events that are due; several processes may do so."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Prepare to send; raises SettingsError for a target without a secret."""
        self._store, self._all = store, of_settings(settings)

    def send_due(self) -> bool:
        """Send the events that are due; False if there are none."""
        with self._store.read() as connection:
            if not webhooks.some_due(connection):
                return False
        with self._store.write() as connection:
            if given_up := webhooks.give_up(connection):
                logger.warning("%d webhooks were not taken for a day", given_up)
            rows = webhooks.claim(connection, limit=_MANY)
        for row, status in asyncio.run(_send(self._by_target(rows))):
            self._note(row, status)
        return bool(rows)

    def _by_target(self, rows: Sequence[RowMapping]) -> dict[Target, list[RowMapping]]:
        """Return the events by target; those without one are removed."""
        found: dict[Target, list[RowMapping]] = {}
        for row in rows:
            target = self._target(row)
            if target is not None:
                found.setdefault(target, []).append(row)
                continue
            with self._store.write() as connection:
                webhooks.forget(connection, row["id"])
        return found

    def _target(self, row: RowMapping) -> Target | None:
        if not row["of_key"]:
            return self._all
        with self._store.read() as connection:
            found = webhooks.target_of(connection, row["owner"])
        return None if found is None else Target(found["url"], found["secret"])

    def _note(self, row: RowMapping, status: int | None) -> None:
        logger.info("webhook %s of %s: %s", row["id"], row["batch_id"], status or "no answer")
        with self._store.write() as connection:
            if status is not None and 200 <= status < 300:
                webhooks.delivered(connection, row["id"], status)
            else:
                webhooks.not_delivered(connection, row["id"], status)


_Attempt = tuple[RowMapping, int | None]


async def _send(events: Mapping[Target, Sequence[RowMapping]]) -> list[_Attempt]:
    """Send the events of all targets at once; returns what was tried with the status of the answer."""
    # Redirects are not followed: only the operator says where anything is sent.
    async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        turns = (_take_turn(client, target, rows) for target, rows in events.items())
        return [attempt for turn in await asyncio.gather(*turns) for attempt in turn]


async def _take_turn(client: httpx.AsyncClient, target: Target, rows: Sequence[RowMapping]) -> list[_Attempt]:
    """Send one target's events, one after the other, until it does not answer or its time is over."""
    attempts: list[_Attempt] = []
    began = time.monotonic()
    for row in rows:
        status = await _post(client, target, row)
        attempts.append((row, status))
        if status is None or time.monotonic() - began > _TURN_S:
            break
    return attempts


async def _post(client: httpx.AsyncClient, target: Target, row: RowMapping) -> int | None:
    """Send an event; returns the status of the answer, None without one in time."""
    body = json.dumps(
        {
            "id": row["id"],
            "object": "event",
            "type": row["type"],
            "created_at": row["created_at"] // 1000,
            "data": {"id": row["batch_id"]},
        }
    )
    try:
        headers = _signed(target, row["id"], body)
        # The answer's body is of no interest, and may be endless; its head may come a byte at a time.
        async with (
            asyncio.timeout(_TIMEOUT_S),
            client.stream("POST", target.url, content=body, headers=headers) as response,
        ):
            return response.status_code
    except Exception as error:  # whatever it is, the events of other targets are sent
        logger.warning("webhook %s: %s", row["id"], type(error).__name__)
        return None


def _signed(target: Target, event_id: str, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "Waybill",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(target.secret).sign(event_id, now, body),
    }
