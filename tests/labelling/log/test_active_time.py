import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dentasam.labelling.log.active_time import Span, counted_span, new_spans, uncovered
from dentasam.labelling.log.store import Store

from ..conftest import Reported, first_case

SECONDS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 25)), max_size=12)


@given(SECONDS, SECONDS)
def test_a_second_counts_once_and_none_is_lost(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    clock = np.zeros(100, bool)
    for start, length in first + second:
        clock[start : start + length] = True
    taken: list[Span] = []
    for report in (first, second, first):
        parts = new_spans([Reported(start * 1000, length) for start, length in report], taken, 30.0)
        taken += [part for _, part in parts]
    assert sum(part.stop - part.start for part in taken) == pytest.approx(clock.sum())
    ordered = sorted(taken)
    assert all(before.stop <= after.start for before, after in pairwise(ordered))


def test_what_is_taken_cuts_a_span_into_parts() -> None:
    taken = [Span(2, 3), Span(5, 6), Span(9, 12)]
    assert uncovered(Span(0, 10), taken) == [Span(0, 2), Span(3, 5), Span(6, 9)]
    assert uncovered(Span(2.5, 2.75), taken) == []
    assert uncovered(Span(3, 5), taken) == [Span(3, 5)]
    assert uncovered(Span(4, 4), taken) == []


def test_an_interval_longer_than_the_idle_limit_ends_there() -> None:
    assert counted_span(Reported(1000, 100.0), 45.0) == Span(1.0, 46.0)
    assert counted_span(Reported(1000, 40.0), 45.0) == Span(1.0, 41.0)
    # The page sends pieces of 15 s, whatever shorter pause it leaves out.
    assert counted_span(Reported(1000, 15.0), 5.0) == Span(1.0, 16.0)


def test_time_of_two_tabs_counts_once(store: Store) -> None:
    a, b = (case.id for case in store.cases())
    store.add_time(a, "ann", [Reported(100_000, 10.0, "brush", "x"), Reported(105_000, 10.0, "click")])
    assert store.case(a).active_seconds == pytest.approx(15.0)
    # The other tab, on the other case: only what the first does not cover. And a report sent twice.
    for _ in range(2):
        store.add_time(b, "ann", [Reported(98_000, 20.0)])
    assert store.case(b).active_seconds == pytest.approx(5.0)
    store.add_time(a, "bob", [Reported(100_000, 10.0)])
    assert store.case(a).active_seconds == pytest.approx(25.0)
    assert [(t.annotator, t.tool, t.object, t.start, t.stop) for t in store.active_times(a)] == [
        ("ann", "brush", "x", 100.0, 110.0),
        ("bob", "brush", None, 100.0, 110.0),
        ("ann", "click", None, 110.0, 115.0),
    ]


def test_reports_at_once_count_once(store: Store) -> None:
    a = first_case(store)
    ready = threading.Barrier(4)

    def report() -> None:
        ready.wait()
        for second in range(5):
            store.add_time(a, "ann", [Reported(100_000 + 1000 * second, 1.0)])

    threads = [threading.Thread(target=report) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.case(a).active_seconds == pytest.approx(5.0)


def test_an_interval_ends_at_the_idle_cut_off(store: Store) -> None:
    a = first_case(store)
    store.add_time(a, "ann", [Reported(0, 3600.0)], idle_seconds=60.0)
    assert store.case(a).active_seconds == pytest.approx(60.0)
    store.add_time(a, "ann", [Reported(100_000, 0.0), Reported(100_000, -5.0)])
    assert store.case(a).active_seconds == pytest.approx(60.0)
