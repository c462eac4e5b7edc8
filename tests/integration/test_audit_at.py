"""The command `annals audit at`."""

import os
import signal
import subprocess
import sys

import psycopg
import pytest

from tests.integration.test_audit_commands import ROOT, annals, records

AGENT = "5f3c0c5e-0000-4000-8000-00000000000a"


@pytest.fixture
def lived(database: str) -> str:
    """Positions 1 and 2: two tasks enqueued; 3: t-1 starts; 4: it ends; 5: an agent goes, and t-2 with it."""
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in (
            """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
            "SELECT enqueue_task('noop', task_id => 't-1')",
            f"SELECT enqueue_task('noop', task_id => 't-2', subject => 'agent:{AGENT}', queue => 'other')",
            "SELECT claim_tasks('w-1', '{default}', '{noop}', 1)",
            "SELECT complete_task('t-1', 2, '42')",
            f"SELECT append_events(ARRAY[ROW('agent', '{AGENT}', 'agent.deleted', '{{}}', NULL, NULL, NULL,"
            " NULL)::event_draft])",
        ):
            connection.execute(statement.encode())
    return database


def test_without_a_task_it_counts_and_lists(lived: str) -> None:
    lines = annals(lived, "audit", "at", "3").stdout.splitlines()
    assert lines[0].startswith("At position 3, recorded 20")
    assert lines[1].split() == [
        "queue",
        "class",
        "paused",
        *("pending", "running", "completed", "failed", "cancelled", "timeout"),
    ]
    assert lines[2].split() == ["default", "medium", "0", "1", "0", "0", "0", "0"]
    assert lines[3].split() == ["other", "medium", "1", "0", "0", "0", "0", "0"]
    assert [line.split()[0] for line in lines[4:]] == ["task_id", "t-2", "t-1"]


def test_json_gives_the_position_the_queues_and_the_tasks(lived: str) -> None:
    place, *rest = records(annals(lived, "audit", "at", "4", "--json"))
    assert place["position"] == 4 and place["recorded_at"].endswith("Z")
    assert [(each["queue"], each["pending"], each["completed"]) for each in rest[:2]] == [
        ("default", 0, 1),
        ("other", 1, 0),
    ]
    assert [(each["task_id"], each["status"], each["result"]) for each in rest[2:]] == [
        ("t-2", "pending", None),
        ("t-1", "completed", 42),
    ]


def test_filters_narrow_the_list_and_a_limit_says_that_there_is_more(lived: str) -> None:
    running = annals(lived, "audit", "at", "3", "--status", "running")
    assert "t-1" in running.stdout and "t-2" not in running.stdout
    other = annals(lived, "audit", "at", "3", "--queue", "other", "--type", "noop")
    assert "t-2" in other.stdout and "default" not in other.stdout
    assert "No such tasks." in annals(lived, "audit", "at", "3", "--status", "failed").stdout
    assert "The newest 1: more with --limit" in annals(lived, "audit", "at", "3", "--limit", "1").stdout


def test_a_task_is_shown_with_its_attempts_up_to_then(lived: str) -> None:
    done = annals(lived, "audit", "at", "3", "t-1")
    assert done.returncode == 0 and "status                  running" in done.stdout
    [told] = records(annals(lived, "audit", "at", "3", "t-1", "--json"))
    assert (told["position"], told["status"], told["attempt"]) == (3, "running", 1)
    assert [(each["status"], each["ended_at"]) for each in told["attempts"]] == [("running", None)]
    [told] = records(annals(lived, "audit", "at", "4", "t-1", "--json"))
    assert [each["status"] for each in told["attempts"]] == ["completed"] and told["result"] == 42


def test_a_task_that_was_not_there_ends_with_3_and_the_reason(lived: str) -> None:
    for arguments, reason in (
        (("1", "t-2"), "was not yet enqueued at position 1"),
        (("5", "t-2"), "was gone already at position 5"),
        (("5", "nope"), "Task not found: nope"),
    ):
        done = annals(lived, "audit", "at", *arguments)
        assert (done.returncode, done.stdout) == (3, "") and reason in done.stderr
    assert annals(lived, "audit", "at", "4", "t-2").returncode == 0


def test_times_and_ages_are_moments_too(lived: str) -> None:
    [place, *_] = records(annals(lived, "audit", "at", "2999-01-01", "--json"))
    assert place["position"] == 5
    assert "before the first event" in annals(lived, "audit", "at", "7d").stdout


def test_what_is_no_moment_ends_with_2(lived: str) -> None:
    for moment, reason in (("soon", "no time"), ("6", "no position 6"), ("9" * 30, "does not fit")):
        done = annals(lived, "audit", "at", moment)
        assert done.returncode == 2 and reason in done.stderr, done


def test_a_position_that_is_not_settled_ends_with_4(lived: str) -> None:
    with psycopg.connect(lived) as holder:
        holder.execute("SELECT enqueue_task('noop')")
        done = annals(lived, "audit", "at", "6")
        assert done.returncode == 4 and "is not settled" in done.stderr
        assert annals(lived, "audit", "at", "5").returncode == 0


def test_interrupted_while_it_counts_it_ends_with_130(lived: str) -> None:
    """A lock holds the counting back; the signal comes, then the lock is let go."""
    with psycopg.connect(lived, autocommit=True) as watch:
        watch.execute(
            'SELECT count(*) FROM enqueue_tasks((SELECT jsonb_agg(\'{"task_type": "noop"}\'::jsonb)'
            " FROM generate_series(1, 3000)))"
        )
        with psycopg.connect(lived) as holder:
            holder.execute("LOCK TABLE depth_marks")
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "audit", "at", "3000"],
                env=os.environ | {"DATABASE_URL": lived},
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'depth_marks'::regclass"
            while process.poll() is None and watch.execute(waiting).fetchone() == (0,):
                pass
            process.send_signal(signal.SIGINT)
            holder.rollback()
            output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "")


def test_a_role_that_only_reads_reads_the_past_too(lived: str) -> None:
    with psycopg.connect(lived, autocommit=True) as owner:
        owner.execute("REVOKE EXECUTE ON FUNCTION extend_depth_marks(integer, integer) FROM CURRENT_USER")
    done = annals(lived, "audit", "at", "4")
    assert done.returncode == 0 and "t-1" in done.stdout, done.stderr


def test_a_list_is_longer_than_a_page(lived: str) -> None:
    with psycopg.connect(lived, autocommit=True) as connection:
        connection.execute(
            'SELECT count(*) FROM enqueue_tasks((SELECT jsonb_agg(\'{"task_type": "noop"}\'::jsonb)'
            " FROM generate_series(1, 2100)))"
        )
    place, _, *tasks = records(annals(lived, "audit", "at", "2099-01-01", "--limit", "9999", "--json"))
    assert place["position"] == 2105 and len({task["task_id"] for task in tasks}) == len(tasks) == 2101


def test_help_has_an_example(lived: str) -> None:
    assert "Example: annals audit at" in annals(lived, "audit", "at", "--help").stdout
