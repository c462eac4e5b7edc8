"""Retention in the database: what goes, what stays, and what is still known of it."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from service.store.migrate import down, migrate
from tests.model.concurrency import without
from tests.model.database import Session, assert_folds_agree, assert_verified, session
from tests.retention_world import Ages

TOTALS = "SELECT what, removed, batches, up_to_position FROM retention_totals ORDER BY what"


@pytest.fixture
def ages(database: str) -> Iterator[Ages]:
    with session(database) as s:
        ages = Ages(s)
        ages.prepare()
        yield ages


def test_each_kind_of_row_is_kept_for_its_own_time(ages: Ages) -> None:
    ages.s.rows(
        "SELECT enqueue_task('noop', task_id => 'waiting', run_at => now() + interval '1 day',"
        " at => now() - interval '32 days')"
    )
    for ending, age in (("done", "31 days"), ("failed", "31 days"), ("failed", "25 hours")):
        ages.task(ending, age)
    for ending, age in (("done", "25 hours"), ("cancelled", "25 hours"), ("done", "23 hours")):
        ages.task(ending, age)
    ages.retain("tasks", "24 hours")
    assert ages.names() == {"failed-31days", "failed-25hours", "done-23hours", "waiting"}
    ages.retain("dead_letters", "30 days")
    ages.retain("attempts", "30 days")
    assert ages.names() == {"failed-25hours", "done-23hours", "waiting"}
    kept = {row["task_id"] for row in ages.s.rows("SELECT task_id FROM task_attempts")}
    assert kept == {"failed-25hours", "done-25hours", "done-23hours"}, "attempts outlive their task"
    assert_folds_agree(ages.s)


def test_what_changed_again_is_kept_from_then_on(ages: Ages) -> None:
    """A dead letter that was retried, and one that a stale worker reported to."""
    ages.task("failed", "31 days", "retried")
    ages.task("failed", "31 days", "reported")
    ages.s.rows("SELECT retry_task('retried')")
    ages.s.rows("SELECT complete_task('reported', 2)")
    assert [batch["removed"] for batch in ages.retain("dead_letters", "30 days")] == [0]
    assert ages.names() == {"retried", "reported"}


def test_a_batch_takes_no_more_than_it_may_and_the_next_goes_on(ages: Ages) -> None:
    for n in range(5):
        ages.task("done", "2 days", f"t-{n}")
    batches = ages.retain("tasks", "1 day", 2)
    assert [batch["removed"] for batch in batches if batch["removed"]] == [2, 2, 1]
    assert ages.s.rows(TOTALS) == [
        {"what": "tasks", "removed": 5, "batches": 3, "up_to_position": batches[2]["up_to_position"]}
    ]
    assert_folds_agree(ages.s)


def test_a_stretch_in_which_nothing_goes_is_walked_once_and_says_nothing(ages: Ages) -> None:
    ages.task("failed", "2 days")
    head = ages.s.head()
    [batch] = ages.retain("tasks", "1 day")
    assert (batch["removed"], batch["position"], ages.s.head()) == (0, None, head)
    walked = ages.s.value("SELECT walked_to FROM retention_marks WHERE what = 'tasks'")
    assert walked == batch["end_position"] == head
    # Kept for longer from now on: what was walked is not walked again, and nothing goes too early.
    assert ages.retain("tasks", "9 days")[0]["up_to_position"] == walked


def test_working_state_that_was_lost_is_found_again_in_the_totals(ages: Ages) -> None:
    ages.task("done", "2 days")
    [batch] = [batch for batch in ages.retain("tasks", "1 day") if batch["removed"]]
    ages.s.rows("DELETE FROM retention_marks")
    assert ages.retain("tasks", "1 day")[0]["removed"] == 0
    marked = ages.s.value("SELECT walked_to FROM retention_marks WHERE what = 'tasks'")
    assert marked == batch["up_to_position"]


def test_measurements_go_and_the_agent_keeps_the_last(ages: Ages) -> None:
    s, agent_id = ages.s, ages.agent()
    for age in ("91 days", "1 hour"):
        s.rows(
            "SELECT append_events(ARRAY[ROW('agent', %s, 'coverage.measured', jsonb_build_object("
            "'measured_at', now() - %s::interval, 'overall_coverage', 50, 'total_documents', 1,"
            " 'total_chunks', 2, 'version', '1.0.0'), NULL, NULL, NULL, NULL)::event_draft],"
            " at => now() - %s::interval)",
            *(agent_id, age, age),
        )
    assert sum(batch["removed"] for batch in ages.retain("coverage_history", "90 days")) == 1
    assert s.value("SELECT count(*) FROM coverage_history") == 1
    assert s.value("SELECT coverage_percent FROM agents") == 50
    assert_folds_agree(s)


def test_keys_of_requests_go_by_their_own_time(ages: Ages) -> None:
    for key, age in (("old", "25 hours"), ("young", "1 hour")):
        ages.s.rows(
            "INSERT INTO idempotency_keys (api_key, route, key, request_hash, created_at)"
            " VALUES ('ci', 'POST /x', %s, 'h', now() - %s::interval)",
            *(key, age),
        )
    assert [batch["removed"] for batch in ages.retain("idempotency_keys", "24 hours")] == [1]
    assert [row["key"] for row in ages.s.rows("SELECT key FROM idempotency_keys")] == ["young"]
    assert_verified(ages.s)


def test_the_past_knows_a_task_that_is_gone(ages: Ages) -> None:
    s, name = ages.s, ages.task("failed", "31 days")
    before = s.rows("SELECT * FROM background_tasks")
    head = s.head()
    ages.retain("dead_letters", "30 days")
    assert s.rows("SELECT * FROM task_at(%s, %s)", name, head) == before
    assert s.rows("SELECT * FROM task_at(%s, %s)", name, s.head()) == []
    assert s.rows("SELECT task_id, status FROM tasks_at(%s, '{failed}')", head) == [
        {"task_id": name, "status": "failed"}
    ]
    assert s.value("SELECT failed FROM queue_depth_at(%s)", head) == 1
    assert s.rows("SELECT * FROM queue_depth_at(%s)", s.head()) == []
    last = s.rows("SELECT type, version, reason FROM task_history(%s)", name)[-1]
    assert (last["type"], last["version"]) == ("retention.applied", None)
    assert last["reason"] == "removed by retention (dead letters)"
    [why] = s.rows("SELECT reason, sentence FROM why_pending(%s)", name)
    assert why["reason"] == "gone" and "Its row was removed by retention" in why["sentence"]
    spent = s.value("SELECT sum(seconds) FROM task_time_spent(%s)", name)
    assert spent < 5, "that it waited to be removed is no part of its life"


@pytest.mark.parametrize("function", ["cancel_task", "retry_task"])
def test_a_late_wish_for_a_task_that_is_gone_is_told_why(ages: Ages, function: str) -> None:
    name = ages.task("failed", "31 days")
    ages.retain("dead_letters", "30 days")
    with pytest.raises(psycopg.Error, match="was removed by retention at") as refused:
        ages.s.rows(f"SELECT {function}(%s)", name)
    assert refused.value.sqlstate == "AN4GO"
    assert "task_history" in str(refused.value.diag.message_hint)


def test_a_late_report_for_a_task_that_is_gone_leaves_the_others_of_its_batch(ages: Ages) -> None:
    gone = ages.task("done", "2 days")
    ages.retain("tasks", "1 day")
    ages.s.rows("SELECT enqueue_task('noop', task_id => 'now')")
    ages.s.rows("SELECT claim_tasks('w', '{default}', '{noop}', 1)")
    told = ages.s.rows(
        "SELECT * FROM end_attempts('w', ARRAY[%s, 'now'], '{2,2}', '{completed,completed}',"
        " ARRAY['{}', '{}']::jsonb[])",
        gone,
    )
    assert {row["task_id"]: row["outcome"] for row in told} == {gone: "not_found", "now": "completed"}


def test_a_row_that_is_brought_back_is_found(ages: Ages) -> None:
    s, name = ages.s, ages.task("done", "2 days")
    s.rows("CREATE TABLE stolen AS SELECT * FROM background_tasks")
    s.rows("CREATE TABLE stolen_attempts AS SELECT * FROM task_attempts")
    ages.retain("tasks", "1 day")
    ages.retain("attempts", "1 day")
    assert_verified(s)
    s.rows("INSERT INTO background_tasks SELECT * FROM stolen")
    s.rows("INSERT INTO task_attempts SELECT * FROM stolen_attempts")
    for model in ("background_tasks", "task_attempts"):
        [found] = s.rows("SELECT kept, folded FROM repair_streams(%s, 'task', ARRAY[%s])", model, name)
        assert found["kept"] and not found["folded"]
    assert_verified(s)
    assert ages.names() == set()


@pytest.mark.parametrize(
    "forgery",
    [
        *(
            f"UPDATE retention_totals SET {column}"
            for column in (
                "removed = 2",
                "batches = 2",
                "up_to_position = 1",
                "cutoff = now()",
                "applied_at = now()",
                "what = 'attempts'",
            )
        ),
        "DELETE FROM retention_totals",
        "INSERT INTO retention_totals SELECT 'attempts', removed, batches, up_to_position, cutoff, applied_at"
        " FROM retention_totals",
    ],
)
def test_forged_totals_are_found_and_mended(ages: Ages, forgery: str) -> None:
    s = ages.s
    ages.task("done", "2 days")
    ages.retain("tasks", "1 day")
    before = s.rows(TOTALS)
    s.rows(forgery)
    strays = s.rows("SELECT stream_id FROM rows_without_stream('retention_totals', 0, 9)")
    assert bool(strays) == ("attempts" in forgery)
    found = s.rows("SELECT * FROM repair_streams('retention_totals', 'retention', '{tasks}')")
    assert found or strays
    s.rows("SELECT * FROM repair_strays('retention_totals', 0, 9)")
    assert s.rows(TOTALS) == before
    assert_verified(s)


def test_down_and_up_again_knows_what_was_removed(ages: Ages, database: str) -> None:
    ages.task("done", "2 days")
    ages.retain("tasks", "1 day")
    before = ages.s.rows(TOTALS), ages.s.rows("SELECT * FROM retention_marks WHERE what = 'tasks'")
    ages.s.connection.close()
    names = down(database, 1)
    while "0010.retention" not in names:
        names += down(database, 1)
    migrate(database)
    with session(database) as s:
        assert (s.rows(TOTALS), s.rows("SELECT * FROM retention_marks WHERE what = 'tasks'")) == before
        assert_verified(s)


def test_nothing_is_walked_past_that_is_not_settled(ages: Ages, database: str) -> None:
    """An event that commits late lies below others that are old enough: the walk waits for it."""
    late = _completed_late(ages, database)
    ages.retain("tasks")
    assert ages.names() == {"late", "done-1second"}
    late.commit()
    late.close()
    ages.retain("tasks")
    assert ages.names() == set()
    assert_verified(ages.s)


def test_witness_a_walk_that_does_not_wait_leaves_a_row_that_the_log_says_is_gone(
    ages: Ages, database: str
) -> None:
    without(ages.s, "stable_position", "coalesce(_open, _head)", "_head")
    late = _completed_late(ages, database)
    ages.retain("tasks")
    late.commit()
    late.close()
    ages.retain("tasks")
    assert ages.names() == {"late"}
    with pytest.raises(AssertionError):
        assert_verified(ages.s)


def _completed_late(ages: Ages, database: str) -> "psycopg.Connection[tuple[object, ...]]":
    """The task `late` is completed in a transaction that stays open; another one after it."""
    ages.s.rows("SELECT enqueue_task('noop', task_id => 'late')")
    ages.s.rows("SELECT claim_tasks('w', '{default}', '{noop}', 1)")
    late = psycopg.connect(database)
    late.execute("SELECT complete_task('late', 2)")
    ages.task("done", "1 second")
    return late


def _blocked(s: Session) -> bool:
    kinds = "('transactionid', 'tuple')"
    return bool(s.value(f"SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN {kinds}"))


def _beside(database: str, statement: str) -> tuple[threading.Thread, list[object]]:
    """Run a statement on a connection of its own; gives where its answer, or error, will be."""
    told: list[object] = []

    def run() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            try:
                told.append(connection.execute(statement.encode()).fetchone())
            except psycopg.Error as error:
                told.append(error.sqlstate)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, told


def test_a_retry_that_comes_before_its_removal_saves_the_row(ages: Ages, database: str) -> None:
    ages.task("failed", "31 days", "t")
    with psycopg.connect(database) as other:
        other.execute("SELECT retry_task('t')")
        thread, told = _beside(database, "SELECT removed FROM apply_retention('dead_letters', '30 days')")
        while not _blocked(ages.s):
            assert thread.is_alive()
    thread.join()
    assert told == [(0,)]
    assert ages.s.value("SELECT status FROM background_tasks") == "pending"
    assert_folds_agree(ages.s)


def test_a_retry_that_comes_after_its_removal_is_told_that_it_is_gone(ages: Ages, database: str) -> None:
    ages.task("failed", "31 days", "t")
    with psycopg.connect(database) as other:
        other.execute("SELECT apply_retention('dead_letters', '30 days')")
        thread, told = _beside(database, "SELECT retry_task('t')")
        while not _blocked(ages.s):
            assert thread.is_alive()
    thread.join()
    assert told == ["AN4GO"]
    assert_folds_agree(ages.s)


def test_witness_without_the_lock_an_event_says_what_did_not_happen(ages: Ages, database: str) -> None:
    """The batch that waits for the retry only in its fold has said before how many rows would go."""
    without(
        ages.s, "rows_of_retention", "t.status = ANY (_kind.statuses) ORDER BY t.task_id FOR UPDATE", "false"
    )
    ages.task("failed", "31 days", "t")
    with psycopg.connect(database) as other:
        other.execute("SELECT retry_task('t')")
        thread, told = _beside(database, "SELECT removed FROM apply_retention('dead_letters', '30 days')")
        while not _blocked(ages.s):
            assert thread.is_alive()
    thread.join()
    assert told == [(1,)]
    with pytest.raises(AssertionError, match="how many went"):
        assert_folds_agree(ages.s)


def test_two_who_remove_the_same_rows_take_turns(ages: Ages, database: str) -> None:
    for n in range(4):
        ages.task("done", "2 days", f"t-{n}")
    with psycopg.connect(database) as other:
        assert other.execute("SELECT removed FROM apply_retention('tasks', '1 day', 3)").fetchone() == (3,)
        thread, told = _beside(database, "SELECT removed FROM apply_retention('tasks', '1 day', 3)")
        while not _blocked(ages.s):
            assert thread.is_alive()
    thread.join()
    assert told == [(1,)]
    assert_folds_agree(ages.s)


def test_an_agents_end_and_a_batch_of_its_attempts_do_not_block_each_other(ages: Ages, database: str) -> None:
    s, agent_id = ages.s, ages.agent()
    for n in range(20):
        s.rows("SELECT enqueue_task('noop', task_id => %s, subject => %s)", f"t-{n}", f"agent:{agent_id}")
    s.rows("SELECT claim_tasks('w', '{default}', '{noop}', 20)")
    s.rows("SELECT complete_task('t-' || n, 2) FROM generate_series(0, 19) n")
    with psycopg.connect(database) as other:
        other.execute("SELECT apply_retention('attempts', '0', 10)")
        thread, told = _beside(database, f"SELECT position FROM delete_agent('{agent_id}')")
        while not _blocked(s):
            assert thread.is_alive()
        other.execute("SELECT apply_retention('attempts', '0', 10)")
    thread.join()
    assert isinstance(told[0], tuple), "the agent is gone"
    assert s.value("SELECT count(*) FROM task_attempts") == 0
    assert_folds_agree(s)
