"""The manifest of a batch: sealed with the secret that signs webhooks, where there is one."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tasks.api_keys import keys
from tasks.batch_api.ending import cancel, end_finished
from tasks.errors import SettingsError
from tasks.files.opening import open_storage
from tasks.settings import Settings
from tasks.store.engine import Store
from tasks.webhooks.targets import secret_of
from tests.support.page import Browser
from tests.support.tenants import Tenant, settings_of
from workers.api.application import application
from workers.api.context import Context
from workers.api.keys.concurrency import KeyRequests

SECRET = "whsec_c2lnbmVkLW9mZi1ieS10aGUtb3BlcmF0b3I="


@pytest.fixture
def settings(store_url: str, tmp_path: Path) -> Settings:
    return settings_of(tmp_path, store_url)


def _manifest(store: Store, settings: Settings) -> dict[str, Any]:
    """Cancel a batch that was stored, and return its manifest."""
    key, text = keys.create(store, "team")
    tenant = Tenant(store, settings, key)
    batch = tenant.create()["id"]
    assert tenant.validator.take_one()
    with store.write() as connection:
        cancel(connection, tenant.row(batch))
    assert end_finished(store)
    context = Context(settings, store, open_storage(settings), KeyRequests(100))
    with Browser.of(application(context), context) as browser:
        headers = {"Authorization": f"Bearer {text}"}
        answer = browser.get(f"/v1/batches/{batch}/manifest", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_manifest_is_signed_with_the_operator_s_secret(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYBILL_WEBHOOK_SECRET", SECRET)
    manifest = _manifest(store, settings)
    digest, signature = manifest.pop("sha256"), manifest.pop("signature")
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    ended = datetime.fromtimestamp(manifest["ended_at"], UTC)
    assert signature == Webhook(SECRET).sign(manifest["batch_id"], ended, text)
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert manifest["adds_up"]


def test_without_a_secret_a_manifest_has_no_signature(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WAYBILL_WEBHOOK_SECRET", raising=False)
    assert _manifest(store, settings)["signature"] is None


def test_a_secret_that_receivers_would_read_differently_is_refused_without_being_shown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYBILL_WEBHOOK_SECRET", "c2VjcmV0")
    with pytest.raises(SettingsError, match="WAYBILL_WEBHOOK_SECRET must be `whsec_`") as refused:
        secret_of(settings)
    assert "c2VjcmV0" not in str(refused.value)
