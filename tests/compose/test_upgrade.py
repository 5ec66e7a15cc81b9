"""Workers of the version before are replaced while they work on a batch."""

from __future__ import annotations

import json
import re

import pytest

from tests.compose.compose_stack import ComposeStack
from tests.compose.images import TAG, UPGRADED
from tests.compose.preparation import Prepared
from tests.compose.records import check_against_simulator
from tests.support.invariants import check_batch

PROMPTS = 1_500
#: so slow that 256 calls at once need a minute for the batch, and less than a worker has to drain
LATENCY_MS = 10_000

pytestmark = pytest.mark.timeout(600)


def test_a_batch_goes_on_while_its_workers_are_upgraded(
    previous_stack: ComposeStack, prepared: Prepared
) -> None:
    stack = previous_stack
    if prepared.previous is None:
        pytest.skip("git does not have the version before")
    file = stack.folder / "named.jsonl"
    rows = (
        {"model": "sim-nano", "messages": [{"role": "user", "content": f"What is {n} plus {n}?"}]}
        for n in range(PROMPTS)
    )
    lines = ({"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions", "body": row}
             for n, row in enumerate(rows))  # fmt: skip
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    stack.up("simulator", *UPGRADED)
    stack.await_health(("simulator", *UPGRADED))
    stack.simulator().behave("sim-nano", latency_ms=LATENCY_MS)
    printed = stack.command("submit", f"/data/{file.name}", files=(file,), service="upkeep")
    (batch_id,) = re.findall(r"^batch_\w+$", printed, re.MULTILINE)
    stack.await_calls(1)

    stack.environment["WAYBILL_TAG"] = TAG
    for role in UPGRADED:
        stack.up(role)
    assert stack.simulator().stats()["received"] < PROMPTS, "it was upgraded in mid-batch"
    stack.simulator().behave("sim-nano", latency_ms=100)
    stack.await_health(UPGRADED)
    stack.wait(batch_id)
    with stack.store() as store:
        assert check_batch(store, batch_id).outcomes == {"succeeded": PROMPTS}
    check_against_simulator(stack, batch_id)
