"""The course of a batch: few points, however long it lasts, and the rate by the last of them."""

from __future__ import annotations

import pytest

from tasks.store.page.course import FIRST_EVERY_MS, MOST, Course, Point


def _course(points: int, *, every_ms: int = 2_000, per_point: int = 10) -> Course:
    course = Course()
    for n in range(points):
        course += Point(n * every_ms, n * per_point, 0, n)
    return course


@pytest.mark.parametrize("points", [1, 2, MOST, MOST + 1, 10 * MOST, 12_345])
def test_a_long_course_has_few_points_and_keeps_its_ends(points: int) -> None:
    course = _course(points)
    assert len(course.points) <= MOST + 1
    assert course.points[0] == Point(0, 0, 0, 0)
    assert course.points[-1].done == (points - 1) * 10
    assert list(course.points) == sorted(course.points)
    assert Course.from_row(course.to_row()) == course


def test_while_a_batch_stands_its_line_goes_on_to_now_with_one_point_more() -> None:
    course = _course(3)
    end = course.points[-1]
    assert course + end._replace(at_ms=end.at_ms + FIRST_EVERY_MS - 1) == course
    for at_ms in (9_000, 90_000, 900_000):
        stands = course + end._replace(at_ms=9_000) + end._replace(at_ms=at_ms)
        assert stands.points == (*course.points, end._replace(at_ms=at_ms))
        assert stands.rate(at_ms + 30_000) == 0
    goes_on = stands + Point(902_000, 40, 0, 9)
    assert [point.done for point in goes_on.points] == [0, 10, 20, 20, 40]


def test_points_that_are_too_close_replace_each_other() -> None:
    course = _course(50, every_ms=100)
    assert len(course.points) <= 2 + 50 * 100 // FIRST_EVERY_MS * 2
    assert course.points[-1].done == 490


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    assert Course().rate(1_000) == 0
    assert _course(10).rate(18_000) == pytest.approx(5)
    slow = _course(100) + Point(198_000 + 60_000, 990 + 30, 0, 100)
    assert slow.rate(258_000) < 1


def test_a_retry_that_takes_counts_back_gives_no_negative_rate() -> None:
    course = _course(30) + Point(60_000, 5, 0, 30)
    assert course.rate(60_000) == 0


def test_a_batch_that_is_seen_late_or_once_has_begun_at_nothing() -> None:
    seen = Course() + Point(500, 3, 0, 9)
    assert seen.points == (Point(0, 0, 0, 0), Point(500, 3, 0, 9))
    assert seen.rate(500) == pytest.approx(6)
