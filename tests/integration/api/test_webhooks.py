"""Webhooks: the end of each batch reaches its target, and OpenAI's client verifies it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from openai import OpenAI
from sqlalchemy import func, select, update

from tasks.batch_api import ending
from tasks.errors import SettingsError, UsageError
from tasks.store.api.tables import webhook_event, webhook_target
from tasks.store.engine import Store
from tasks.webhooks import targets
from tasks.webhooks.sender import Sender
from tests.support.tenants import Tenant


class Receiver:
    """An HTTP server that keeps what it gets, and answers with the next status."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((body, dict(self.headers)))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def _make_due(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(webhook_event).values(next_attempt_at=1))


def _cancelled(tenant: Tenant, **options: object) -> str:
    row = tenant.create(**options)
    with tenant.store.write() as connection:
        ending.cancel(connection, tenant.row(row["id"]))
    return str(row["id"])


def test_the_end_of_a_batch_is_sent_to_its_key_s_target_and_verified_by_the_client(
    tenant: Tenant, store: Store, receiver: Receiver
) -> None:
    secret = targets.set_for_key(store, "team", receiver.url).secret
    batch_id = _cancelled(tenant)
    failed = tenant.create(tenant.upload(["{"]))
    tenant.validator.take_one()
    sender = Sender(store, tenant.settings)
    assert sender.send_due()
    assert not sender.send_due()
    client = OpenAI(api_key="x", webhook_secret=secret)
    events = [client.webhooks.unwrap(body, headers) for body, headers in receiver.got]
    assert {(event.type, event.data.id) for event in events} == {
        ("batch.cancelled", batch_id),
        ("batch.failed", failed["id"]),
    }


def test_what_is_not_taken_is_sent_again_with_the_same_id_until_it_is(
    tenant: Tenant, store: Store, receiver: Receiver
) -> None:
    targets.set_for_key(store, "team", receiver.url)
    _cancelled(tenant)
    receiver.statuses = [500, 302, 410, 200]
    sender = Sender(store, tenant.settings)
    for _ in range(6):
        sender.send_due()
        assert not sender.send_due(), "not at once"
        _make_due(store)
    assert len(receiver.got) == 4, "no redirect is followed, and nothing is sent once it is taken"
    assert len({headers["webhook-id"] for _, headers in receiver.got}) == 1
    with store.read() as connection:
        rows = connection.execute(select(webhook_event).where(webhook_event.c.of_key)).mappings().all()
    assert [(row["attempts"], row["last_status"]) for row in rows] == [(4, 200)]
    assert rows[0]["delivered_at"] is not None


def test_a_target_that_is_away_for_a_day_is_given_up(tenant: Tenant, store: Store) -> None:
    targets.set_for_key(store, "team", "http://127.0.0.1:9/")
    _cancelled(tenant)
    sender = Sender(store, tenant.settings)
    assert sender.send_due()
    with store.write() as connection:
        connection.execute(update(webhook_event).values(created_at=1, next_attempt_at=1))
    sender.send_due()
    with store.read() as connection:
        assert connection.execute(select(func.count()).select_from(webhook_event)).scalar_one() == 0


def _drip(server: socket.socket, ended: threading.Event) -> None:
    """Accept connections, and answer each a byte at a time, without an end."""
    connections = []
    server.settimeout(0.1)
    while not ended.is_set():
        with suppress(OSError):
            connections.append(server.accept()[0])
        for connection in connections:
            with suppress(OSError):
                connection.sendall(b" ")
    for connection in connections:
        connection.close()


def test_a_target_that_never_answers_holds_up_no_other(
    new_tenant: Callable[..., Tenant], store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.webhooks.sender._TIMEOUT_S", 1.0)
    slow, other, ended = new_tenant("slow"), new_tenant("other"), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        dripping = threading.Thread(target=_drip, args=(server, ended))
        dripping.start()
        targets.set_for_key(store, "slow", f"http://127.0.0.1:{server.getsockname()[1]}/")
        targets.set_for_key(store, "other", receiver.url)
        for number in range(20):
            _cancelled(slow, metadata={"n": str(number)})
        _cancelled(other)
        assert Sender(store, slow.settings).send_due()
        ended.set()
        dripping.join()
    assert len(receiver.got) == 1
    with store.read() as connection:
        tried = select(func.count()).where(webhook_event.c.of_key, webhook_event.c.attempts > 0)
        assert connection.execute(tried).scalar_one() == 2, "one of each: the others of the slow target wait"


@pytest.mark.parametrize(
    "broken", [{"url": "http://127.0.0.1:99999/"}, {"secret": "whsec_"}, {"secret": "é"}], ids=str
)
def test_a_target_to_which_nothing_can_be_sent_holds_up_no_other(
    new_tenant: Callable[..., Tenant], store: Store, receiver: Receiver, broken: dict[str, str]
) -> None:
    one, other = new_tenant("one"), new_tenant("other")
    for tenant in (one, other):
        targets.set_for_key(store, tenant.key.name, receiver.url)
        _cancelled(tenant)
    with store.write() as connection:
        mine = update(webhook_target).where(webhook_target.c.owner == one.key.id)
        connection.execute(mine.values(**broken))
    assert Sender(store, one.settings).send_due()
    assert len(receiver.got) == 1
    with store.read() as connection:
        sent = select(webhook_event.c.owner).where(webhook_event.c.delivered_at.is_not(None))
        assert list(connection.execute(sent).scalars()) == [other.key.id]


def test_the_target_of_the_settings_gets_the_ends_of_all_batches(
    tenant: Tenant, store: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = tenant.settings.api.model_copy(update={"webhook_url": receiver.url})
    settings = tenant.settings.model_copy(update={"api": api})
    with pytest.raises(SettingsError, match="WAYBILL_WEBHOOK_SECRET"):
        Sender(store, settings)
    for wrong in ("plain-secret", "whsec_", "whsec_%", "whsec_c2V"):
        monkeypatch.setenv("WAYBILL_WEBHOOK_SECRET", wrong)
        with pytest.raises(SettingsError, match="whsec_"):
            Sender(store, settings)
    monkeypatch.setenv("WAYBILL_WEBHOOK_SECRET", "whsec_c2VjcmV0LXNlY3JldA==")
    _cancelled(tenant)
    Sender(store, settings).send_due()
    [(body, headers)] = receiver.got
    client = OpenAI(api_key="x", webhook_secret="whsec_c2VjcmV0LXNlY3JldA==")
    assert client.webhooks.unwrap(body, headers).type == "batch.cancelled"


@pytest.mark.parametrize(
    "url", ["", "x", "file:///etc/passwd", "http://", "http://[::1", "http://h:99999/", "http://h/\ud83d"]
)
def test_a_target_is_a_url_of_http(tenant: Tenant, store: Store, url: str) -> None:
    with pytest.raises(UsageError):
        targets.set_for_key(store, tenant.key.name, url)
