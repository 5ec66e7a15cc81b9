"""How long the relay pauses."""

from tasks.upkeep.loop import RELAY_LIMIT, RelayBackoff


def test_the_relay_looks_again_soon_while_messages_come_and_less_often_when_none_do() -> None:
    pace = RelayBackoff(0.1)
    assert pace.next_pause(0) == 0.1
    assert [round(pace.next_pause(found), 3) for found in (3, 0, 1, 0, 0, 0, 0, 0)] == [
        0.01, 0.02, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1,
    ]  # fmt: skip


def test_a_full_look_is_followed_by_another_at_once() -> None:
    assert RelayBackoff(0.1).next_pause(RELAY_LIMIT) == 0
