"""The queue of requests that wait for a model."""

from tasks.stages.dispatch.request_queue import RequestQueue
from tasks.store.values import HeldRequest

FIRST = HeldRequest(1, "one", "{}", 2, 1, None, "small", 0, 0, chunk_id=1, batch_no=1)
SECOND = FIRST._replace(id=2)
AGAIN = FIRST._replace(chunk_id=9)


def test_requests_come_out_in_order_and_those_put_back_first() -> None:
    waiting = RequestQueue()
    waiting.add([FIRST, SECOND])
    assert waiting.pop() is FIRST
    assert not waiting.put_back([FIRST])
    assert (waiting.first, list(waiting)) == (FIRST, [FIRST, SECOND])


def test_a_request_that_is_held_again_takes_the_place_of_the_entry_that_was_lost() -> None:
    waiting = RequestQueue()
    waiting.add([FIRST])
    assert waiting.add([AGAIN]) == [FIRST]
    assert list(waiting) == [AGAIN]


def test_a_stale_request_that_is_put_back_stays_out() -> None:
    waiting = RequestQueue()
    waiting.add([AGAIN])
    assert waiting.put_back([FIRST, SECOND]) == [FIRST]
    assert list(waiting) == [SECOND, AGAIN]


def test_requests_are_removed_wherever_they_stand() -> None:
    waiting = RequestQueue()
    waiting.add([FIRST, SECOND])
    assert waiting.remove(lambda request: request.id == 2) == [SECOND]
    assert list(waiting) == [FIRST]
