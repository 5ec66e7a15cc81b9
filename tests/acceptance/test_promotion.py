"""Routers change while a batch of 5,000 runs: no worker restarts, and every decision names its router."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from tasks.store.routers import roles
from tasks.store.tables import chunk, decision
from tests.support.command import assert_exit, waybill
from tests.support.invariants import check_batch
from tests.support.stack import Stack
from workers.demo.data.labelled import LABELLED_PATH
from workers.simulator import SimulatorProcess, default_config

PROMPTS, CHUNK = 5_000, 50


@pytest.fixture(scope="module")
def routers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two routers with one static embedder: the same labels, other seeds."""
    folder = tmp_path_factory.mktemp("routers")
    rows = LABELLED_PATH.read_text(encoding="utf-8").splitlines(keepends=True)[:120]
    (folder / "labelled.jsonl").write_text("".join(rows), encoding="utf-8")
    for seed in ("0", "7"):
        command = [sys.executable, "-m", "workers.cli", "train", "labelled.jsonl", "-o", seed, "--seed", seed]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=1_200)
    return folder / "0", folder / "7"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("promotion")
    with (
        SimulatorProcess(replace(default_config(), latency_scale=0)) as simulator,
        Stack(home, simulator=simulator, settings={"upkeep": {"republish_s": 0.5}}) as stack,
    ):
        stack.start("upkeep")
        stack.await_ready(*(stack.start(role) for role in ("embed", "route")))
        yield stack


def command(stack: Stack, *arguments: str) -> str:
    """Run a command on the stack's store; returns what it printed."""
    ended = waybill(*arguments, cwd=stack.home, environment=stack.environment)
    assert_exit(ended, 0)
    return ended.stdout.strip()


def versions_of(stack: Stack, batch_id: str) -> dict[tuple[str | None, str | None], int]:
    """How many decisions of a batch each router made, by (version, arm)."""
    query = (
        select(decision.c.router_version, decision.c.arm, func.count())
        .where(decision.c.batch_no == stack.row(batch_id)["no"])
        .group_by(decision.c.router_version, decision.c.arm)
    )
    with stack.store.read() as connection:
        return {(version, arm): number for version, arm, number in connection.execute(query)}


def submit_withheld(stack: Stack, items: list[object]) -> tuple[str, list[int]]:
    """Submit a batch while the embed worker sleeps, and keep all its chunks from the workers."""
    embed = next(worker for worker in stack.workers if worker.name.endswith("embed"))
    with stack.store.write():  # not in the middle of a transaction
        embed.signal(signal.SIGSTOP)
    try:
        batch_id = stack.submit(items, route_only=True, chunk_size=CHUNK)
        mine = (chunk.c.batch_no == stack.row(batch_id)["no"]) & (chunk.c.state == "queued")
        with stack.store.write() as connection:
            ids = list(connection.execute(select(chunk.c.id).where(mine).order_by(chunk.c.id)).scalars())
            connection.execute(update(chunk).where(mine).values(state="withheld"))
    finally:
        embed.signal(signal.SIGCONT)
    return batch_id, ids


def let_through(stack: Stack, withheld: list[int], number: int) -> None:
    """Give so many chunks to the workers; upkeep announces them again."""
    with stack.store.write() as connection:
        through = update(chunk).where(chunk.c.id.in_(withheld[:number]))
        connection.execute(through.values(state="queued"))
    del withheld[:number]


def prompts(kind: str) -> list[object]:
    return [f"{kind} {number}: what is {number} plus {number % 17}?" for number in range(PROMPTS)]


def test_a_promotion_in_mid_batch_loses_nothing_and_can_be_taken_back(
    stack: Stack, routers: tuple[Path, Path]
) -> None:
    first, second = (command(stack, "promote", str(path)) for path in routers)
    assert command(stack, "promote", "--rollback") == first
    batch_id, withheld = submit_withheld(stack, prompts("Promoted"))
    let_through(stack, withheld, 30)
    stack.wait(batch_id, until=lambda row: row["routed"] >= 30 * CHUNK)
    with stack.store.write() as connection:
        roles.promote(connection, second, reason="a test")
    let_through(stack, withheld, 30)
    stack.wait(batch_id, until=lambda row: row["routed"] >= 60 * CHUNK)
    with stack.store.write() as connection:
        assert roles.roll_back(connection, reason="a test") == first
    let_through(stack, withheld, len(withheld))
    stack.wait(batch_id)

    assert check_batch(stack.store, batch_id).outcomes == {"succeeded": PROMPTS}
    found = versions_of(stack, batch_id)
    assert found == {(first, None): PROMPTS - 30 * CHUNK, (second, None): 30 * CHUNK}


def test_a_canary_gets_its_share_and_the_champion_is_marked_beside_it(
    stack: Stack, routers: tuple[Path, Path]
) -> None:
    first = command(stack, "promote", str(routers[0]))
    second = command(stack, "promote", str(routers[1]), "--canary", "0.2")
    batch_id = stack.submit(prompts("Tried out"), route_only=True)
    stack.wait(batch_id)
    found = versions_of(stack, batch_id)
    assert found.keys() == {(first, "champion"), (second, "canary")}
    # Five standard errors of a share of 0.2.
    assert abs(found[second, "canary"] / PROMPTS - 0.2) < 5 * (0.2 * 0.8 / PROMPTS) ** 0.5
    told = json.loads(command(stack, "routers", "--json"))
    listed = {one["version"]: one["role"] for one in told["routers"]}
    assert (listed[first], listed[second]) == ("champion", "canary")
    assert (told["canary"]["version"], told["canary"]["champion"], told["canary"]["share"]) == (
        second, first, 0.2,
    )  # fmt: skip
    assert told["canary"]["arms"]["canary"]["failures"]["n"] == found[second, "canary"]
    assert json.loads(command(stack, "status", "--json"))["canary"]["version"] == second
    for said in (command(stack, "routers"), command(stack, "status")):
        assert told["canary"]["verdict"] in " ".join(said.split())
    assert command(stack, "promote", "--rollback") == first


def test_a_promoted_router_may_bring_another_embedder(
    stack: Stack, router: Path, routers: tuple[Path, Path]
) -> None:
    command(stack, "promote", str(routers[0]))
    batch_id = stack.submit([f"Embedded anew {number}" for number in range(200)], route_only=True)
    second = command(stack, "promote", str(router))
    later = stack.submit([f"Embedded otherwise {number}" for number in range(100)], route_only=True)
    for one, total in ((batch_id, 200), (later, 100)):
        stack.wait(one)
        assert check_batch(stack.store, one).outcomes == {"succeeded": total}
    assert versions_of(stack, later) == {(second, None): 100}
