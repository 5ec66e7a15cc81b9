"""The pauses of the relay."""

from tasks.upkeep.loop import IDLE_AFTER, RELAY_LIMIT, RelayBackoff


def test_the_pause_is_short_after_messages_and_doubles_without_any() -> None:
    backoff = RelayBackoff(0.1)
    assert backoff.next_pause(0) == 0.1
    assert [round(backoff.next_pause(published), 3) for published in (3, 0, 1, 0, 0, 0, 0, 0)] == [
        0.01, 0.02, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1,
    ]  # fmt: skip


def test_there_is_no_pause_after_a_full_transaction() -> None:
    assert RelayBackoff(0.1).next_pause(RELAY_LIMIT) == 0


def test_looks_become_rare_where_there_was_no_message_for_long_and_frequent_with_the_next_one() -> None:
    backoff = RelayBackoff(0.1)
    pauses = [backoff.next_pause(0) for _ in range(IDLE_AFTER + 10)]
    assert max(pauses[:IDLE_AFTER]) == 0.1
    assert pauses[-1] == 0.5
    assert [round(backoff.next_pause(published), 3) for published in (1, 0)] == [0.01, 0.02]
