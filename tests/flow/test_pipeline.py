"""Batches that are parsed side by side are stored one after the other, and none overtakes one that failed."""

import time
from collections.abc import Iterator

import pytest

from agent.errors import Retry
from agent.pipeline import ahead, in_order


def slow_first(number: int) -> int:
    time.sleep(0.05 if number == 0 else 0)
    return number * 10


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_batches_come_in_the_order_in_which_they_were_fetched(at_once: int) -> None:
    assert list(in_order(slow_first, range(7), at_once)) == [0, 10, 20, 30, 40, 50, 60]


def test_what_came_before_the_line_broke_is_stored_and_then_the_break_is_told() -> None:
    def fetched() -> Iterator[int]:
        yield from range(3)
        raise Retry("the connection broke")

    batches = ahead(in_order(slow_first, fetched(), 2))
    assert [next(batches) for _ in range(3)] == [0, 10, 20]
    with pytest.raises(Retry, match="broke"):
        next(batches)


def test_no_batch_is_stored_behind_one_that_failed() -> None:
    def fails_on_two(number: int) -> int:
        time.sleep(0.05 if number == 2 else 0)
        if number == 2:
            raise ValueError("defect")
        return number

    batches = in_order(fails_on_two, range(6), 3)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="defect"):
        next(batches)
    assert list(batches) == []


def test_whoever_stops_early_waits_only_for_what_is_in_hand() -> None:
    seen = []
    batches = ahead(in_order(slow_first, (seen.append(n) or n for n in range(1000)), 2))  # type: ignore[func-returns-value]
    assert next(batches) == 0
    batches.close()
    assert len(seen) < 20
