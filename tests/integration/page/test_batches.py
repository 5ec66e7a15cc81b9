"""Batches on the page: whose they are, what is escaped, and what is said of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from router_core.monitoring.familiarity import Familiarity
from tasks.store import batches
from tasks.store.api import batches as api_batches
from tasks.store.engine import Store
from tasks.store.health import model_errors, senders, workers
from tasks.store.health.model_errors import FailedCalls
from tasks.store.progress import list_batches, snapshot
from tasks.store.routers import drift
from tasks.store.values import Requeue
from tests.support import store_builders
from tests.support.api import chat_line
from tests.support.page import Browser
from tests.support.page_batches import status_of, submitted
from tests.support.screens import drawn
from workers.api.batches.objects import batch_object
from workers.views.batch_report import progress_to_dict
from workers.views.status import batches_table, facts_table

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'


def _number(store: Store, batch_id: str) -> int:
    with store.read() as connection:
        return int(batches.find(connection, batch_id)["no"])


def test_bad_lines_count_the_same_in_the_api_in_status_and_on_the_page(
    browser: Browser, store: Store
) -> None:
    file = browser.tenant.upload([chat_line(1, model="small"), "{bad", chat_line(3, model="small")])
    made = browser.tenant.create(file, metadata={"waybill_partial": "true"})
    assert browser.tenant.validator.take_one()
    with store.read() as connection:
        row, state = api_batches.by_id(connection, made["id"]), snapshot(connection, made["id"])
    told = batch_object(row)["request_counts"]
    assert told == state.request_counts == {"total": 3, "completed": 0, "failed": 1}
    assert progress_to_dict(state)["request_counts"] == told
    facts = " ".join(drawn(facts_table(state), 80).split())
    assert "lines 3 completed 0 failed 1, bad ones among them" in facts
    assert drawn(batches_table([state]), 80).splitlines()[1].split()[-4:] == ["3", "0%", "1", "$0.0000"]
    shown = browser.shown("/?show=failures")
    assert "1 of 3" in shown
    assert re.findall(r'data-label="failed">(\d+)<', shown) == ["1"]


def test_status_names_the_key_of_a_batch_and_none_for_the_command_s(browser: Browser, store: Store) -> None:
    of_key = submitted(browser)
    store_builders.submit(store, store_builders.lines(2))
    with store.read() as connection:
        newest = list_batches(connection)
    assert [(one.batch_id == of_key, one.owner) for one in newest] == [(False, None), (True, "team")]
    assert drawn(batches_table(newest), 80).splitlines()[-1] == "key team"
    assert drawn(facts_table(newest[1]), 80).splitlines()[1].split() == ["key", "team"]
    assert "key" not in drawn(facts_table(newest[0]), 80)


def test_the_name_of_a_batch_is_shown_to_its_owner_alone(new_browser: Callable[..., Browser]) -> None:
    owner, operator = new_browser(), new_browser("boss", is_operator=True)
    batch_id = submitted(owner, waybill_name=f"tickets {HOSTILE}")
    for path in ("/", f"/batches/{batch_id}"):
        assert "tickets &#34;&gt;&lt;script&gt;" in owner.get(path).text
        assert batch_id in operator.get(path).text
        assert "tickets" not in operator.get(path).text


def test_a_key_sees_its_own_batches_and_no_others(
    browser: Browser, new_browser: Callable[..., Browser], store: Store
) -> None:
    mine, other = submitted(browser), new_browser("other")
    theirs = submitted(other)
    waiting = browser.tenant.create(metadata={"n": "2"})["id"]
    store_builders.submit(store, store_builders.lines(2))
    shown = browser.shown("/")
    assert mine in shown
    assert waiting in shown
    assert theirs not in shown
    assert shown.count('role="rowheader"') == 2
    for path in ("", "/live", "/files/output", "/files/manifest"):
        assert browser.get(f"/batches/{theirs}{path}").status_code == 404, path
    for action in ("pause", "cancel", "retry", "budget"):
        assert browser.send(f"/batches/{theirs}/{action}", budget_usd="1").status_code == 404
    assert status_of(store, theirs) == "in_progress"


def test_an_operator_sees_the_counts_of_all_and_changes_nothing_of_others(
    browser: Browser, new_browser: Callable[..., Browser], store: Store
) -> None:
    theirs = submitted(browser)
    number = store_builders.submit(store, store_builders.lines(2))
    operator = new_browser("operator", is_operator=True)
    shown = operator.shown("/")
    with store.read() as connection:
        of_command = batches.by_number(connection, number)["id"]
    assert theirs in shown
    assert of_command in shown
    assert ">team<" in operator.shown("/?owner=team")
    assert of_command not in operator.shown("/?owner=team")
    assert theirs not in operator.shown("/?owner=command")
    page = operator.shown(f"/batches/{theirs}")
    assert "of team; only its key can change it" in page
    assert "<button>Pause" not in page
    assert operator.send(f"/batches/{theirs}/cancel").status_code == 404
    assert operator.get(f"/batches/{theirs}/files/output").status_code == 404
    assert operator.send(f"/batches/{of_command}/cancel").status_code == 303
    assert status_of(store, of_command) == "cancelled"
    assert status_of(store, theirs) == "in_progress"


def test_a_batch_whose_submission_was_interrupted_names_the_buttons_of_its_page(
    new_browser: Callable[..., Browser], store: Store
) -> None:
    with store.write() as connection:
        batch_id = batches.create(connection, source="test", options=store_builders.OPTIONS, budget=None)[
            "id"
        ]
        senders.beat(connection, batch_id)
        senders.gone(connection, batch_id)
    page = new_browser("operator", is_operator=True).shown(f"/batches/{batch_id}")
    assert "Resume goes on with these lines, Cancel ends it" in page
    assert "<button>Resume</button>" in page


def test_what_can_be_done_to_a_batch_of_another_key_is_the_command_s(
    browser: Browser, new_browser: Callable[..., Browser], store: Store
) -> None:
    theirs = submitted(browser)
    number = _number(store, theirs)
    calls = store_builders.held(store, number)
    store_builders.reserve(store, calls)
    store_builders.settle(store, calls, next=Requeue(100.0), cost=0)
    with store.write() as connection:
        workers.beat(connection, "dispatch@h", role="dispatch", queues=("dispatch.small",))
        model_errors.add(connection, [FailedCalls(number, "small", "server_error", 3, "server_error (500)")])
    operator = new_browser("operator", is_operator=True)
    assert "Cancel ends the batch" in browser.shown(f"/batches/{theirs}")
    assert f"`waybill cancel {theirs}` ends the batch" in operator.shown(f"/batches/{theirs}")


@pytest.mark.parametrize(("is_operator", "who"), [(False, "a worker"), (True, "route@h")])
def test_which_worker_redis_refuses_is_said_to_operators_on_the_page_and_in_the_api(
    new_browser: Callable[..., Browser], store: Store, is_operator: bool, who: str
) -> None:
    browser = new_browser(is_operator=is_operator)
    mine = submitted(browser)
    with store.write() as connection:
        workers.beat(connection, "route@h", role="route", queues=("route",), is_refused=True)
    assert f"Redis refuses {who}: " in browser.shown(f"/batches/{mine}")
    headers = {"authorization": f"Bearer {browser.key_text}"}
    told = browser.get(f"/v1/batches/{mine}/progress", headers=headers).json()
    assert told["progress"]["refused_workers"] == [who]


def test_what_a_file_says_that_is_wrong_is_quoted_to_its_owner_alone(
    browser: Browser, new_browser: Callable[..., Browser]
) -> None:
    batch = browser.tenant.create(browser.tenant.upload([chat_line(1, model="quoted-name")]))["id"]
    browser.tenant.validator.take_one()
    assert "quoted-name" in browser.shown(f"/batches/{batch}")
    shown = new_browser("operator", is_operator=True).shown(f"/batches/{batch}")
    assert "line 1: <code>unknown_model</code>" in shown
    assert "quoted-name" not in shown


def test_names_that_are_hostile_are_shown_as_text(new_browser: Callable[..., Browser]) -> None:
    browser = new_browser(HOSTILE)
    batch, operator = submitted(browser), new_browser("operator", is_operator=True)
    for page in (browser.shown("/"), operator.shown("/"), operator.shown(f"/batches/{batch}")):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in page


def test_a_list_goes_on_with_older_batches(browser: Browser) -> None:
    made = [browser.tenant.create(lines=1, metadata={"n": str(n)})["id"] for n in range(27)]
    first = browser.shown("/")
    link = first.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    rest = browser.shown(link)
    assert sum(one in first for one in made) == 25
    assert sum(one in rest for one in made) == 2
    assert all((one in first) != (one in rest) for one in made)


@pytest.mark.parametrize(
    ("show", "found"),
    [("all", "vrc"), ("running", "vr"), ("ended", "c"), ("failures", "")],
)
def test_batches_are_filtered_by_their_state(browser: Browser, show: str, found: str) -> None:
    running = submitted(browser)
    cancelled = submitted(browser, n="2")
    browser.send(f"/batches/{cancelled}/cancel")
    waiting = browser.tenant.create(metadata={"n": "3"})["id"]
    page = browser.shown(f"/?show={show}")
    ids = {"v": waiting, "r": running, "c": cancelled}
    assert "".join(letter for letter, one in ids.items() if one in page) == found


def test_a_batch_that_has_ended_shows_its_models_and_its_files(browser: Browser, store: Store) -> None:
    batch = submitted(browser)
    store_builders.settle_all(store, _number(store, batch), model="small")
    page = browser.shown(f"/batches/{batch}")
    assert "3 of 3 requests have ended" in page
    models = page.partition('id="models"')[2].partition("</section>")[0]
    assert '<th scope="row">small</th><td class="number">3</td>' in models
    saved = browser.get(f"/batches/{batch}/files/output")
    assert saved.headers["content-disposition"] == f'attachment; filename="{batch}_output.jsonl"'
    assert len([json.loads(line) for line in saved.text.splitlines()]) == 3


def test_a_batch_that_is_mostly_unlike_the_labels_says_so_and_what_to_do(
    browser: Browser, store: Store
) -> None:
    batch = submitted(browser)
    with store.write() as connection:
        drift.add(connection, _number(store, batch), "v1", None, None, Familiarity(280, 20))
    few = "About 20 of 300 prompts (7%, estimated) are unlike the labels."
    assert few in browser.shown(f"/batches/{batch}")
    with store.write() as connection:
        drift.add(connection, _number(store, batch), "v1", None, None, Familiarity(0, 300))
    page = browser.shown(f"/batches/{batch}")
    assert '<p class="warning">About 320 of 600 prompts (53%, estimated) are unlike the labels' in page
    assert f"waybill collect {batch} --by novelty" in page


def test_failed_calls_are_listed_and_those_that_somebody_must_see_to_are_warned_of(
    browser: Browser, store: Store
) -> None:
    batch = submitted(browser)
    number = _number(store, batch)
    failed = [
        FailedCalls(number, "small", "rate_limit", 7, "rate_limit (429)"),
        FailedCalls(number, "small", "authentication", 1, "authentication (401)"),
        FailedCalls(number, "small", "timeout", 1, "timeout"),
    ]
    with store.write() as connection:
        model_errors.add(connection, failed)
    shown = browser.shown(f"/batches/{batch}")
    assert '<td>rate_limit (429)</td><td class="number">7</td>' in shown
    warnings = re.findall(r'<p class="warning">([^<]*)</p>', shown)
    assert [line for line in warnings if "rate_limit" in line or "timeout" in line] == []
    assert [line for line in warnings if "authentication" in line and "check its key" in line] != []
