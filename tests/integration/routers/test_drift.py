"""The route stage records the drift of a batch; `status` and `doctor` show what to do about it."""

from __future__ import annotations

import random
import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import select

from router_core.router import Router
from tasks.stages.context import WorkerContext
from tasks.stages.embed import embed_chunk
from tasks.stages.route import route_chunk
from tasks.store.engine import Store
from tasks.store.routers import drift, roles
from tasks.store.tables import chunk
from tasks.submission import submit
from tasks.submission.options import options_for
from tasks.submission.source import from_items
from tests.support import learning
from tests.support.comparisons import assert_fields
from tests.support.routers import CODE, KINDS, POEM, promote_router
from tests.support.stores import SQLITE_ONLY
from workers.cli.watch import follow_to_end
from workers.doctor import learning_checks
from workers.doctor.finding import Level
from workers.estimates import estimated
from workers.routers import promotion
from workers.views.batch_report import read_report
from workers.views.status import batch_view

LAW = "Under the law of agency, may tenant {n} sue the landlord's broker for a lost deposit?"


def texts(number: int, *kinds: str, seed: int) -> list[str]:
    """Return prompts of these kinds, alternating, each with another number in it."""
    drawn = random.Random(seed).sample(range(10_000), number)
    return [kinds[turn % len(kinds)].format(n=n) for turn, n in enumerate(drawn)]


@pytest.fixture
def context(store: Store, redis_url: str, tmp_path: Path) -> WorkerContext:
    settings = learning.settings(tmp_path, "coder", "writer")
    redis = settings.redis.model_copy(update={"url": redis_url})
    store_ = settings.store.model_copy(update={"url": store.engine.url.render_as_string(hide_password=False)})
    return WorkerContext(settings.model_copy(update={"redis": redis, "store": store_}))


def route_all(context: WorkerContext, prompts: Sequence[str]) -> str:
    """Submit, embed and route these prompts in chunks of 64; returns the batch id."""
    options = options_for(context.settings, route_only=True)
    items = from_items([{"id": secrets.token_hex(4), "prompt": text} for text in prompts], context.settings)
    batch_id = submit.submit(context.store, items, source="test", options=options)
    query = select(chunk.c.id, chunk.c.epoch, chunk.c.stage).where(
        chunk.c.batch_no == learning.batch_no(context.store, batch_id), chunk.c.state == "queued"
    )
    for stage, work in (("embed", embed_chunk), ("route", route_chunk)):
        with context.store.read() as connection:
            waiting = connection.execute(query).all()
        assert {one.stage for one in waiting} == {stage}
        for one in waiting:
            work(context, one.id, one.epoch)
    return batch_id


def drift_of(store: Store, batch_id: str) -> drift.RouterDrift:
    with store.read() as connection:
        [found] = drift.of_batch(connection, learning.batch_no(store, batch_id))
    return found


def status_text(store: Store, batch_id: str) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(batch_view(read_report(store, batch_id)))
    return capture.get()


def test_a_shifted_batch_is_flagged_with_what_to_do_and_another_is_not(
    context: WorkerContext, coder_and_writer: Router, tmp_path: Path
) -> None:
    store = context.store
    promote_router(store, context.settings, coder_and_writer, tmp_path / "router")
    alike = route_all(context, texts(300, CODE, POEM, seed=1))
    found = drift_of(store, alike)
    assert found.drift is not None
    assert found.version == coder_and_writer.version
    assert_fields(found.drift, prompts=300, high=())
    assert "collect" not in status_text(store, alike)
    assert [one.level for one in learning_checks.drift(context.settings)] == [Level.OK]

    shifted = route_all(context, texts(300, CODE, LAW, LAW, seed=2))
    found = drift_of(store, shifted)
    assert found.drift is not None
    assert {"embeddings", "uncovered"} <= set(found.drift.high)
    assert f"waybill collect {shifted} --by novelty --budget USD" in status_text(store, shifted)
    [warning] = learning_checks.drift(context.settings)
    assert warning.level == Level.WARN
    assert shifted in warning.text
    assert "train --from-store" in warning.advice


@SQLITE_ONLY
def test_drift_is_unknown_for_an_older_router_and_for_few_prompts(
    context: WorkerContext, coder_and_writer: Router, tmp_path: Path
) -> None:
    store = context.store
    promote_router(store, context.settings, coder_and_writer, tmp_path / "router")
    few = drift_of(store, route_all(context, texts(10, LAW, seed=3)))
    assert_fields(few, known=True, drift=None)
    promote_router(
        store, context.settings, replace(coder_and_writer, drift_reference=None), tmp_path / "older"
    )
    older = route_all(context, texts(300, LAW, seed=4))
    assert_fields(drift_of(store, older), known=False, drift=None)
    assert "not known" in status_text(store, older)


@SQLITE_ONLY
def test_canary_and_champion_each_record_their_drift(
    context: WorkerContext, coder_and_writer: Router, tmp_path: Path
) -> None:
    store = context.store
    promote_router(store, context.settings, coder_and_writer, tmp_path / "router")
    other = replace(coder_and_writer, training={**coder_and_writer.training, "seed": 99})
    other.save(tmp_path / "other")
    version = promotion.register(store, tmp_path / "other", source="a test")
    with store.write() as connection:
        roles.start_canary(connection, version, share=0.5)
    batch_id = route_all(context, texts(400, CODE, POEM, seed=1))
    with store.read() as connection:
        found = drift.of_batch(connection, learning.batch_no(store, batch_id))
    assert {one.version for one in found} == {coder_and_writer.version, version}
    assert sum(one.drift.prompts for one in found if one.drift) == 400
    shown = status_text(store, batch_id)
    assert {f"drift of router {one.version}:" in shown for one in found} == {True}
    told = estimated(iter(()), context.settings, store, options_for(context.settings)).warnings
    assert told == (
        f"the canary {version} routes 50% of the requests while it runs; mix and cost are those of the "
        "champion alone",
    )


def test_the_share_of_unfamiliar_prompts_is_counted_for_each_batch(
    context: WorkerContext, four_kinds: Router, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = context.store
    promote_router(store, context.settings, four_kinds, tmp_path / "router")
    alike = read_report(store, route_all(context, texts(130, *KINDS.values(), seed=1)))
    state = alike.progress
    assert state.familiar + state.unfamiliar == 130
    assert state.unfamiliar_share is not None
    assert state.unfamiliar_share < 0.3
    assert "unfamiliar" not in alike.to_dict()["drift"][0]["high"]

    shifted = read_report(store, route_all(context, texts(130, LAW, seed=2)))
    assert (shifted.progress.familiar, shifted.progress.unfamiliar) == (0, 130)
    assert shifted.to_dict()["unfamiliar_share"] == 1.0
    [drift_] = shifted.to_dict()["drift"]
    assert drift_["unfamiliar"]["share"]["value"] == 1.0
    assert "unfamiliar" in drift_["high"]
    assert "--by novelty" in drift_["advice"]
    batch_id, says = (
        shifted.progress.batch_id,
        "about 130 of 130 prompts (100%, estimated) are unlike the labels",
    )
    assert says in status_text(store, batch_id)
    for one in (alike.progress.batch_id, batch_id):
        follow_to_end(store, context.settings, one)
    told = [line for line in capsys.readouterr().err.splitlines() if "unlike the labels" in line]
    assert [says in line and f"waybill collect {batch_id} --by novelty" in line for line in told] == [True]


@SQLITE_ONLY
def test_a_router_that_does_not_measure_novelty_counts_no_familiar_prompts(
    context: WorkerContext, four_kinds: Router, tmp_path: Path
) -> None:
    store = context.store
    older = replace(four_kinds, novelty=None)
    promote_router(store, context.settings, older, tmp_path / "older")
    report = read_report(store, route_all(context, texts(80, LAW, seed=2)))
    assert report.progress.unfamiliar_share is None
    assert report.to_dict()["drift"][0]["unfamiliar"] is None
    assert "unlike the labels" not in status_text(store, report.progress.batch_id)
