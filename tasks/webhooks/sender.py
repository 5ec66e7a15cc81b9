"""The sender of webhooks: each event at least once, for a day, later and later."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import httpx
from sqlalchemy import RowMapping
from standardwebhooks import Webhook

from tasks.settings import Settings
from tasks.store.api import webhooks
from tasks.store.engine import Store
from tasks.webhooks.targets import Target, of_settings

logger = logging.getLogger(__name__)

_MANY = 50
_TIMEOUT_S = 10.0


class Sender:
    """Sends the events that are due; several processes may do so."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Prepare to send; raises SettingsError for a target without a secret."""
        self._store, self._all = store, of_settings(settings)
        # Redirects are not followed: only the operator says where anything is sent.
        self._client = httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)

    def send_due(self) -> bool:
        """Send the events that are due; False if there are none."""
        with self._store.read() as connection:
            if not webhooks.some_due(connection):
                return False
        with self._store.write() as connection:
            if given_up := webhooks.give_up(connection):
                logger.warning("%d webhooks were not taken for a day", given_up)
            rows = webhooks.claim(connection, limit=_MANY)
        for row in rows:
            self._send(row)
        return bool(rows)

    def _send(self, row: RowMapping) -> None:
        target = self._target(row)
        if target is None:
            with self._store.write() as connection:
                webhooks.forget(connection, row["id"])
            return
        status = self._post(target, row)
        is_taken = status is not None and 200 <= status < 300
        logger.info("webhook %s of %s: %s", row["id"], row["batch_id"], status or "no answer")
        with self._store.write() as connection:
            if is_taken and status is not None:
                webhooks.delivered(connection, row["id"], status)
            else:
                webhooks.not_delivered(connection, row["id"], status)

    def _target(self, row: RowMapping) -> Target | None:
        if not row["of_key"]:
            return self._all
        with self._store.read() as connection:
            found = webhooks.target_of(connection, row["owner"])
        return None if found is None else Target(found["url"], found["secret"])

    def _post(self, target: Target, row: RowMapping) -> int | None:
        """Send an event; returns the status of the answer, None without one."""
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
            # The answer's body is of no interest, and may be endless.
            with self._client.stream("POST", target.url, content=body, headers=headers) as response:
                return response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
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
