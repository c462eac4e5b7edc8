"""Looks at the past from psql: which position is meant, when it is refused, what counts cost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
Connection = psycopg.Connection[dict[str, Any]]


@pytest.fixture
def log(database: str) -> Iterator[Connection]:
    """An empty log of one's own, with the type noop."""
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
        yield connection


def value(log: Connection, statement: str, *arguments: Any) -> Any:
    row = log.execute(statement.encode(), arguments).fetchone()
    return next(iter(row.values())) if row else None


def enqueue(log: Connection, *minutes: int) -> list[int]:
    """Tasks that were recorded so many minutes after noon; their positions."""
    for minute in minutes:
        log.execute("SELECT enqueue_task('noop', at => %s)", [NOON + timedelta(minutes=minute)])
    return [row["position"] for row in log.execute("SELECT position FROM events ORDER BY position")]


def at(log: Connection, minute: float) -> int:
    return int(value(log, "SELECT position_at(%s)", NOON + timedelta(minutes=minute)))


def test_an_empty_log_has_position_0_only(log: Connection) -> None:
    assert at(log, 0) == 0
    assert value(log, "SELECT require_settled(0)") == 0
    assert log.execute("SELECT * FROM tasks_at(0)").fetchall() == []
    assert log.execute("SELECT * FROM queue_depth_at(now())").fetchall() == []
    with pytest.raises(psycopg.Error) as caught:
        log.execute("SELECT require_settled(1)")
    assert (caught.value.sqlstate, caught.value.diag.message_hint) == (
        "AN422",
        "Positions go from 0, before everything, to 0.",
    )


def test_a_time_means_the_last_event_recorded_by_then(log: Connection) -> None:
    first, second, third = enqueue(log, 0, 10, 20)
    told = [at(log, minute) for minute in (-1, 0, 9.99, 10, 15, 20, 10_000)]
    assert told == [0, first, first, second, second, third, third]


def test_equal_times_mean_the_last_of_them(log: Connection) -> None:
    positions = enqueue(log, 0, 10, 10, 10, 20)
    assert at(log, 10) == positions[3]


def test_times_that_cross_mean_the_last_that_was_recorded_by_then(log: Connection) -> None:
    """Side by side, transactions draw positions and read the clock in different orders."""
    positions = enqueue(log, 0, 10, 8, 12, 9, 20)
    assert [at(log, minute) for minute in (7, 8, 9, 10, 12)] == [
        positions[0],
        *(positions[2], positions[4], positions[4], positions[4]),
    ]


def test_holes_between_positions_are_passed_over(log: Connection) -> None:
    enqueue(log, 0)
    with log.transaction(force_rollback=True):
        enqueue(log, *range(1, 20))
    last = enqueue(log, 30)[-1]
    assert [at(log, minute) for minute in (0, 29, 30)] == [1, 1, last]
    assert value(log, "SELECT count(*) FROM tasks_at(%s::bigint)", last - 1) == 1


def test_what_is_open_is_refused_and_a_time_stops_below_it(log: Connection, database: str) -> None:
    [first] = enqueue(log, 0)
    with psycopg.connect(database) as other:
        other.execute("SELECT enqueue_task('noop')")
        last = enqueue(log, 10)[-1]
        for call in ("task_at('x', %s::bigint)", "tasks_at(%s::bigint)", "queue_depth_at(%s::bigint)"):
            with pytest.raises(psycopg.Error) as caught:
                log.execute(f"SELECT * FROM {call}".encode(), [last])
            assert caught.value.sqlstate == "AN409"
            assert caught.value.diag.message_hint == f"Ask again, or ask for position {first}."
        assert at(log, 10_000) == first
    assert value(log, "SELECT count(*) FROM tasks_at(%s::bigint)", last) == 3


@pytest.mark.parametrize("moment", ["1::bigint", "now()"])
def test_an_old_snapshot_is_refused(log: Connection, moment: str) -> None:
    enqueue(log, 0)
    for call in (f"task_at('x', {moment})", f"tasks_at({moment})", f"queue_depth_at({moment})"):
        with log.transaction(force_rollback=True):
            log.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            with pytest.raises(psycopg.Error, match="the past is read in READ COMMITTED") as caught:
                log.execute(f"SELECT * FROM {call}".encode())
            assert caught.value.sqlstate == "AN409"


def test_a_position_and_its_time_give_the_same(log: Connection) -> None:
    enqueue(log, 0, 10)
    log.execute("SELECT cancel_task(task_id) FROM background_tasks LIMIT 1")
    [task_id] = log.execute("SELECT task_id FROM tasks_at(1::bigint)").fetchall()
    for function, arguments in (("task_at", [task_id["task_id"]]), ("tasks_at", []), ("queue_depth_at", [])):
        holes = "%s, " * len(arguments)
        by_time = log.execute(f"SELECT * FROM {function}({holes}%s)".encode(), [*arguments, NOON]).fetchall()
        by_place = log.execute(f"SELECT * FROM {function}({holes}1::bigint)".encode(), arguments).fetchall()
        assert by_time == by_place != []


def depths(log: Connection) -> list[dict[str, Any]]:
    return [
        {"position": position} | row
        for position in range(value(log, "SELECT stable_position()") + 1)
        for row in log.execute("SELECT * FROM queue_depth_at(%s::bigint)", [position])
    ]


def test_marks_are_written_step_by_step_and_change_no_count(log: Connection) -> None:
    enqueue(log, *range(25))
    log.execute("SELECT claim_tasks('w-1', '{default}', '{noop}', 9)")
    log.execute("SELECT cancel_task(task_id) FROM background_tasks WHERE status = 'pending' LIMIT 4")
    unmarked = depths(log)
    assert [value(log, "SELECT extend_depth_marks(10, 5)") for _ in range(5)] == [10, 20, 30, 35, 35]
    marks = [row["position"] for row in log.execute("SELECT position FROM depth_marks ORDER BY position")]
    assert marks == [5, 10, 15, 20, 25, 30, 35]
    assert depths(log) == unmarked
    log.execute("TRUNCATE depth_marks")
    assert depths(log) == unmarked


def test_marks_do_what_they_are_for(log: Connection) -> None:
    """Counts come from the mark: a wrong one would be believed."""
    enqueue(log, *range(10))
    log.execute("SELECT extend_depth_marks(10, 5)")
    log.execute("UPDATE depth_marks SET counts = '{}' WHERE position = 10")
    assert value(log, "SELECT pending FROM queue_depth_at(10::bigint)") is None
    assert value(log, "SELECT pending FROM queue_depth_at(6::bigint)") == 6


def test_whoever_comes_while_another_counts_does_nothing(log: Connection, database: str) -> None:
    enqueue(log, *range(10))
    with psycopg.connect(database) as other:
        assert other.execute("SELECT extend_depth_marks(5, 5)").fetchone() == (5,)
        assert value(log, "SELECT extend_depth_marks(5, 5)") == 0
    assert value(log, "SELECT extend_depth_marks(5, 5)") == 10


def test_marks_stop_below_what_is_open(log: Connection, database: str) -> None:
    enqueue(log, *range(7))
    with psycopg.connect(database) as other:
        other.execute("SELECT enqueue_task('noop')")
        enqueue(log, *range(10))
        assert value(log, "SELECT extend_depth_marks(100, 5)") == 5
    assert value(log, "SELECT extend_depth_marks(100, 5)") == 15
