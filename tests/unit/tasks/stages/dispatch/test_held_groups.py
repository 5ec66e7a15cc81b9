"""Groups of requests that a dispatcher holds."""

from tasks.stages.dispatch.held_groups import HeldGroup, HeldGroups
from tasks.store.values import RequestResult, Requeue, Settlement


def _group(chunk_id: int, *request_ids: int) -> HeldGroup:
    return HeldGroup(chunk_id, f"task-{chunk_id}", "worker@host", set(request_ids))


def _settlement(request_id: int, *, error_code: str | None = None) -> Settlement:
    following = Requeue(1.0) if error_code else RequestResult("succeeded")
    return Settlement(
        batch_no=1,
        chunk_id=7,
        request_id=request_id,
        number=1,
        state="failed" if error_code else "succeeded",
        next=following,
        error_code=error_code,
    )


def test_a_group_ends_with_its_last_request() -> None:
    ended: list[HeldGroup] = []
    groups = HeldGroups(ended.append)
    groups.add(_group(7, 1, 2))
    groups.settled(_settlement(1))
    assert ended == []
    groups.settled(_settlement(2))
    assert [group.chunk_id for group in ended] == [7]
    assert groups.chunk_ids == []


def test_an_empty_group_ends_at_once() -> None:
    ended: list[HeldGroup] = []
    HeldGroups(ended.append).add(_group(7))
    assert [group.chunk_id for group in ended] == [7]


def test_a_clean_group_has_nothing_to_report() -> None:
    ended: list[HeldGroup] = []
    groups = HeldGroups(ended.append)
    groups.add(_group(7, 1))
    groups.settled(_settlement(1))
    assert ended[0].failure() is None


def test_a_report_counts_failures_by_code() -> None:
    ended: list[HeldGroup] = []
    groups = HeldGroups(ended.append)
    groups.add(_group(7, 1, 2, 3))
    groups.settled(_settlement(1, error_code="rate_limit"))
    groups.settled(_settlement(2, error_code="rate_limit"))
    groups.settled(_settlement(3))
    assert ended[0].failure() == "2 of 3 calls failed: rate_limit x2"


def test_a_chunk_that_was_taken_away_is_forgotten() -> None:
    ended: list[HeldGroup] = []
    groups = HeldGroups(ended.append)
    groups.add(_group(7, 1))
    groups.lease_lost([7])
    groups.settled(_settlement(1))  # the late end of its call changes nothing
    assert len(ended) == 1
    assert ended[0].failure() == "1 requests without an answer: lease_lost x1"


def test_a_group_whose_requests_ended_without_a_call_is_no_success() -> None:
    ended: list[HeldGroup] = []
    groups = HeldGroups(ended.append)
    groups.add(_group(7, 1, 2))
    refused = RequestResult("failed", error_code="budget_exceeded")
    groups.settled(Settlement(batch_no=1, chunk_id=7, request_id=1, next=refused))
    groups.settled(Settlement(batch_no=1, chunk_id=7, request_id=2, next=refused))
    assert ended[0].failure() == "2 requests without an answer: budget_exceeded x2"
