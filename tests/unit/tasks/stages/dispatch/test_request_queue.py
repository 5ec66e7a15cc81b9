"""The queue of requests that wait for a model."""

from tasks.stages.dispatch.request_queue import RequestQueue
from tasks.store.values import HeldRequest

FIRST = HeldRequest(1, "one", "{}", 2, 1, None, "small", 0, 0, chunk_id=1, batch_no=1)
SECOND = FIRST._replace(id=2)
AGAIN = FIRST._replace(chunk_id=9)


def test_requests_come_out_in_order_and_those_put_back_first() -> None:
    waiting = RequestQueue()
    waiting.add([FIRST, SECOND])
    assert waiting.take(1) == [FIRST]
    assert not waiting.put_back([FIRST])
    assert list(waiting) == [FIRST, SECOND] == waiting.take(9)
    assert (len(waiting), waiting.take(9)) == (0, [])


def test_batches_take_turns_by_what_they_were_served() -> None:
    waiting = RequestQueue()
    waiting.add([FIRST._replace(id=n) for n in range(10, 20)])
    waiting.serve(waiting.take(3))
    waiting.add([FIRST._replace(id=n, batch_no=2) for n in range(20, 30)])
    order = []
    for _ in range(6):
        taken = waiting.take(4)
        waiting.put_back(taken[1:])  # the limits granted one of them
        waiting.serve(taken[:1])
        order += [one.batch_no for one in taken[:1]]
    assert order == [2, 1, 2, 1, 2, 1]
    assert [one.id for one in waiting.of_batch(1)] == list(range(16, 20))


def test_a_batch_of_a_higher_priority_gets_more_turns() -> None:
    waiting = RequestQueue()
    for batch_no, weight in ((1, 4.0), (2, 16.0)):
        waiting.add(
            [FIRST._replace(id=n + 100 * batch_no, batch_no=batch_no, weight=weight) for n in range(50)]
        )
    taken = []
    for _ in range(20):
        taken += (one := waiting.take(1))
        waiting.serve(one)
    assert [one.batch_no for one in taken].count(2) == 16


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
