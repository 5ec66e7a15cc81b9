"""Screens about keys and estimates at 80 and 120 columns: ids and numbers are whole."""

from __future__ import annotations

from dataclasses import replace

from router_core.monitoring.familiarity import Familiarity
from tasks.store.api.keys import Key
from tasks.store.spending import Spending
from tasks.submission.estimate_values import Estimate, Mix, ModelEstimate
from tests.support.screens import assert_screen, drawn
from workers.views.estimate import estimate_table
from workers.views.keys import audit_table, keys_table, spending_table

AT = 1_795_000_000_000


def test_the_list_of_keys_has_whole_ids_and_limits() -> None:
    keys = [
        Key("key_0123456789abcdef", "the summaries team", AT, None, 20_000_000, 12_000_000_000,
            ("sim-large", "sim-nano"), 6_000, 12, "normal", is_operator=True),
        Key("key_fedcba9876543210", "b", AT, AT, None, None, None, None, None, "low"),
    ]  # fmt: skip
    assert_screen("keys", keys_table(keys))


def test_the_spending_of_keys_has_whole_amounts() -> None:
    found = [
        Spending("key_0123456789abcdef", "the summaries team", 1_200, 24_000_000, 1_234_567_890, 12 * 10**9),
        Spending(None, None, 3, 3_000, 12_300, None),
    ]  # fmt: skip
    assert_screen("keys-spending", spending_table(found, "2026-11"))


def test_the_log_of_keys_has_whole_ids() -> None:
    entry = {
        "at": AT, "actor": "key_0123456789abcdef", "action": "batch.created",
        "subject": "batch_0123456789abcdef", "detail": {"requests": 2_400_000},
    }  # fmt: skip
    created = {
        "at": AT, "actor": "key_0123456789abcdef", "action": "batch.create",
        "subject": "batch_fedcba9876543210",
        "detail": {"file": "file-0123456789abcdef01234567", "budget": 500_000},
    }  # fmt: skip
    uploaded = {
        "at": AT, "actor": "operator", "action": "webhook.remove", "subject": "file-0123456789abcdef01234567",
        "detail": None,
    }  # fmt: skip
    entries = [entry, created, uploaded]
    assert_screen("keys-audit", audit_table(entries, {"key_0123456789abcdef": "the summaries team"}))


def test_an_estimate_has_whole_numbers() -> None:
    models = (
        ModelEstimate("claude-3-5-sonnet", 12_345.6789, 99_999.9999, (1_812.0, 1_203.0, 2_814.0)),
        ModelEstimate("sim-nano", 0.1234, 1.5, assumed_tokens=200),
    )
    mix = Mix(
        {"claude-3-5-sonnet": 2_000_000, "sim-nano": 400_000},
        10_000.0,
        80_000.0,
        Familiarity(80, 20),
        0.71234,
        0.70123,
    )
    estimate = Estimate(
        2_400_000, 1_200, {"missing_messages": 3}, 480_000_000, models, mix, 24_000,
        {"logit_bias": {"sim-nano": 12}}, 40, router="router 2bc1da5b8c9d", best_single="claude-3-5-sonnet",
        policy="saving (quality floor 0.02)",
    )  # fmt: skip
    assert_screen("submit-dry-run", estimate_table(estimate))
    assert repr(estimate) == (
        "Estimate(2,400,000 requests, 1,200 duplicates, 3 bad lines, about $10,000.0000, "
        "at most $80,000.0000, 2,000,000 to claude-3-5-sonnet, 400,000 to sim-nano; router 2bc1da5b8c9d)"
    )


def test_the_list_says_what_is_left_and_until_when_an_old_text_holds() -> None:
    one = Key("key_0123456789abcdef", "dana", AT, None, 20_000_000, None, None, None, None, "normal")
    soon = 32_503_680_000_000  # of the year 3000
    shown = drawn(keys_table([replace(one, previous_until=soon)], {one.id: {"day": 3_200_000}}), 80)
    assert "$20.00 a day" in shown
    assert "$3.2000 left" in shown
    assert "3000-01-01" in shown
    assert "old text" not in drawn(keys_table([replace(one, previous_until=1)]), 80)
    assert "old text" not in drawn(keys_table([replace(one, previous_until=soon, revoked_at=AT)]), 80)
