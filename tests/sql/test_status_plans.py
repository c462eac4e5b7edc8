"""What a scrape and a status touch at 50,000 tasks: beginnings of indexes, and no table as a whole."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from service.store.queries import load
from tests.sql.test_footprints import filled, footprint

__all__ = ["filled"]
QUERIES = load("service.store", "queries/status")
COUNT = """
    SELECT count_task_events(0, stable_position()), count_events(0, stable_position());
    SELECT extend_depth_marks(1000000);
    SELECT open_follower('task_counts', 90000);
    ANALYZE;
"""
ARGUMENTS = {"depth": [100_400], "log": [100_400], "lanes": [2000], "deliveries": [2000]}


@pytest.fixture(scope="module")
def counted(filled: str) -> str:
    """As the relay leaves it."""
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute(COUNT.encode())
    return filled


@pytest.mark.parametrize("name", sorted(QUERIES.texts))
def test_no_table_of_tasks_is_scanned(counted: str, name: str) -> None:
    lines = footprint(counted, QUERIES[name], ARGUMENTS.get(name, []))
    assert not [line for line in lines if "SCAN" in line], lines


def test_a_lane_is_counted_up_to_the_limit_and_no_further(counted: str) -> None:
    """The rows that are read are as many as the limit says, however many wait."""
    explain = "EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) "
    with psycopg.connect(counted, cursor_factory=psycopg.RawCursor) as connection:
        row = connection.execute((explain + QUERIES["lanes"]).encode(), [100]).fetchone()
    assert row
    scans = [node for node in nodes(row[0][0]["Plan"]) if node.get("Relation Name") == "background_tasks"]
    read = [round(scan["Actual Rows"] * scan["Actual Loops"]) for scan in scans]
    assert max(read) == 100 and sum(read) <= 302, "at most a hundred of each kind, and the oldest"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_one_connection_reads_it_all_without_a_scan(counted: str) -> None:
    """Together, as a scrape does: plans that are kept after five executions are as good."""
    seen = (
        "SELECT relname FROM pg_stat_xact_user_tables"
        " WHERE relname IN ('background_tasks', 'events', 'task_attempts') AND seq_scan > 0"
    )
    with psycopg.connect(counted, cursor_factory=psycopg.RawCursor) as connection:
        connection.prepare_threshold = 0
        for _ in range(7):
            for name, query in QUERIES.texts.items():
                connection.execute(query.encode(), ARGUMENTS.get(name, []))
        assert connection.execute(seen.encode()).fetchall() == []
