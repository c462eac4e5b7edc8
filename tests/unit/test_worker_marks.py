"""Marks save scans, and never step over a task."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.worker.marks import Marks

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    lane: int
    ready_position: int | None
    run_at: datetime | None = None


def started(*rows: Row, settled: int, was_short: bool) -> Marks:
    """Marks after a full look at time 0 that found these rows."""
    marks = Marks(longest_pause=1.0)
    assert marks.begin(0.0) is None
    marks.looked_fully(0.0, 0.001)
    marks.advance(settled, rows, was_short)
    return marks


def test_the_first_look_is_full_and_the_next_starts_after_the_last_row() -> None:
    marks = started(Row(1, 5), Row(1, 9), Row(2, 7), settled=20, was_short=False)
    assert marks.begin(0.5) == [(1, 10, None), (2, 8, None)]


def test_a_mark_never_passes_the_settled_position() -> None:
    # 30 was committed while 26 is still open: 26 must be found when it commits.
    marks = started(Row(1, 25), Row(1, 30), settled=25, was_short=False)
    assert marks.begin(0.5) == [(1, 26, None)]


def test_a_short_claim_has_seen_every_known_lane_to_its_end() -> None:
    marks = started(Row(1, 5), Row(2, 7), settled=20, was_short=True)
    assert marks.begin(0.5) == [(1, 21, None), (2, 21, None)]


def test_the_due_index_starts_a_little_before_the_latest_time_taken() -> None:
    # What was due meanwhile and was committed after it must still be found: a retry without a delay.
    rows = [Row(1, None, NOON), Row(1, None, NOON + timedelta(seconds=9)), Row(1, None, NOON)]
    marks = started(*rows, settled=20, was_short=False)
    assert marks.begin(0.5) == [(1, 0, NOON + timedelta(seconds=8))]


def test_a_full_look_that_leaves_rows_behind_lowers_the_marks() -> None:
    marks = started(Row(1, 900), settled=1000, was_short=True)
    marks.wish_full_look()
    assert marks.begin(5.0) is None
    marks.looked_fully(5.0, 5.001)
    marks.advance(1100, [Row(1, 3)], was_short=False)
    assert marks.begin(5.01) == [(1, 4, None)]


def test_full_looks_come_at_least_every_pause_and_never_cost_more_than_their_share() -> None:
    marks = started(Row(1, 5), settled=20, was_short=True)
    assert marks.begin(0.9) is not None
    assert marks.begin(1.2) is None
    marks.looked_fully(1.2, 2.2)
    marks.wish_full_look()
    assert marks.begin(2.2 + 49) is not None
    assert marks.begin(2.2 + 51) is None


def test_a_wished_full_look_need_not_wait_for_the_pause() -> None:
    marks = started(Row(1, 5), settled=20, was_short=True)
    marks.wish_full_look()
    assert marks.begin(0.2) is None


@given(st.data())
def test_whatever_commits_late_is_found_by_a_marked_claim(data: st.DataObject) -> None:
    """Positions become visible in any order; settled is below every one that is not yet visible."""
    waiting = data.draw(st.permutations(range(1, 25)))
    visible: set[int] = set()
    done: set[int] = set()
    marks = started(settled=0, was_short=True)
    for position in waiting:
        visible.add(position)
        unseen = set(range(1, 25)) - visible
        settled = min(unseen, default=25) - 1
        slots = data.draw(st.integers(1, 4))
        start = {lane: ready for lane, ready, _ in marks.begin(0.5) or ()}.get(1, 0)
        found = sorted(p for p in visible - done if p >= start)[:slots]
        assert set(found) == set(sorted(visible - done)[:slots]), "a mark stepped over a task"
        done |= set(found)
        marks.advance(settled, [Row(1, p) for p in found], len(found) < slots)
