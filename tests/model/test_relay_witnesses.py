"""The relay's guards: what goes wrong without each, and that it does not happen with it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.model.concurrency import Call, without
from tests.model.database import Session, assert_folds_agree, session

Sessions = tuple[Session, Session, Session]
ECHO = "SELECT append_events(ARRAY[ROW('echo', 'e', 'echo.made', '{}', NULL, NULL, NULL, NULL)::event_draft])"


@pytest.fixture
def trio(database: str) -> Iterator[Sessions]:
    with session(database) as one, session(database) as other, session(database) as watch:
        watch.call("publish_task_types", types=[{"task_type": "noop", "code_version": "1"}])
        watch.call("open_follower", name="mail")
        yield one, other, watch


def lead(s: Session, relay_id: str = "r-1", term: int | None = None, seconds: float = 600) -> int | None:
    (row,) = s.call("lead_relay", relay_id=relay_id, host="h", pid=1, term=term, lease_seconds=seconds)
    leads_term: int | None = row["leads_term"]
    return leads_term


def let_run_out(s: Session) -> None:
    s.rows("UPDATE relay_lease SET expires_at = clock_timestamp() - interval '1 second'")


def echo(s: Session, term: int | None, expected: int = 0, reached: int = 5) -> None:
    """A follower's transaction: the checkpoint, then the effect."""
    with s.connection.transaction():
        s.rows("SELECT advance_follower('mail', %s, %s, 'r-1', %s)", expected, reached, term)
        s.rows(ECHO)


def echoes(s: Session) -> int:
    return int(s.value("SELECT count(*) FROM events WHERE type = 'echo.made'"))


# --- the lease: one leads


def test_one_leads_until_its_lease_runs_out(trio: Sessions) -> None:
    s = trio[2]
    assert lead(s, "r-1") == 1
    assert lead(s, "r-2") is None
    assert lead(s, "r-1", term=1) == 1, "a renewal is no new term"
    let_run_out(s)
    assert lead(s, "r-2") == 2
    assert lead(s, "r-1", term=1) is None


def test_a_name_is_no_lease(trio: Sessions) -> None:
    """A process that was started in place of a paused one, under its name, waits like any other."""
    assert lead(trio[2], "r-1") == 1
    assert lead(trio[2], "r-1", term=None) is None


def test_a_farewell_frees_the_lease_at_once(trio: Sessions) -> None:
    s = trio[2]
    lead(s, "r-1")
    assert s.value("SELECT leave_relay('r-2', 1)") is False
    assert s.value("SELECT leave_relay('r-1', 1)") is True
    assert lead(s, "r-2") == 2


def a_zombie_goes_on(s: Session) -> None:
    """r-1 is paused, r-2 takes over, r-1 wakes up in the middle of its work."""
    term = lead(s, "r-1")
    let_run_out(s)
    lead(s, "r-2")
    echo(s, term)


def test_an_old_term_has_no_effects(trio: Sessions) -> None:
    with pytest.raises(psycopg.Error) as caught:
        a_zombie_goes_on(trio[2])
    assert caught.value.sqlstate == "AN410"
    assert echoes(trio[2]) == 0
    with pytest.raises(psycopg.Error) as caught:
        trio[2].rows("SELECT park_event('mail', 0, 1, 'no', 'r-1', 1)")
    assert caught.value.sqlstate == "AN410"


def test_a_lease_that_ran_out_has_no_effects_although_nobody_took_over(trio: Sessions) -> None:
    term = lead(trio[2])
    let_run_out(trio[2])
    with pytest.raises(psycopg.Error) as caught:
        echo(trio[2], term)
    assert caught.value.sqlstate == "AN410"


def test_witness_without_the_lease_a_zombie_goes_on(trio: Sessions) -> None:
    check = "PERFORM require_lease(advance_follower.relay_id, advance_follower.term);"
    without(trio[2], "advance_follower", check)
    a_zombie_goes_on(trio[2])
    assert echoes(trio[2]) == 1


def taken_over_inside_an_effect(trio: Sessions) -> bool:
    """Whether another leads while an effect of the one before is still on its way."""
    one, other, watch = trio
    term = lead(watch, "r-1")
    with one.connection.transaction():
        one.rows("SELECT advance_follower('mail', 0, 5, 'r-1', %s)", term)
        let_run_out(watch)
        call = Call(other, watch, lambda s: lead(s, "r-2"))
        at_once = call.settle()
        one.rows(ECHO)
    assert call.result() == 2
    return at_once


def test_a_take_over_waits_for_effects_on_their_way(trio: Sessions) -> None:
    assert not taken_over_inside_an_effect(trio)


def test_witness_without_the_lock_a_take_over_comes_in_between(trio: Sessions) -> None:
    without(trio[2], "require_lease", "FOR KEY SHARE")
    assert taken_over_inside_an_effect(trio)


def test_a_leader_paused_inside_an_effect_keeps_nobody_waiting_for_long(trio: Sessions) -> None:
    """Its session is ended after 3 s, and what it began is rolled back."""
    one, other, watch = trio
    term = lead(watch, "r-1")
    one.rows("BEGIN")
    one.rows("SELECT advance_follower('mail', 0, 5, 'r-1', %s)", term)
    one.rows(ECHO)
    let_run_out(watch)
    call = Call(other, watch, lambda s: lead(s, "r-2"))
    assert not call.settle()
    assert call.result() == 2
    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        one.rows("COMMIT")
    assert (watch.value("SELECT position FROM followers"), echoes(watch)) == (0, 0)


def test_a_renewal_does_not_wait_for_effects(trio: Sessions) -> None:
    one, other, watch = trio
    term = lead(watch)
    with one.connection.transaction():
        one.rows("SELECT advance_follower('mail', 0, 5, 'r-1', %s)", term)
        call = Call(other, watch, lambda s: lead(s, "r-1", term=term))
        assert call.settle()
    assert call.result() == term


# --- the checkpoint: effect and position come and go together, and only forward


def a_stretch_twice(s: Session) -> None:
    term = lead(s)
    echo(s, term)
    echo(s, term)


def test_a_stretch_is_done_once(trio: Sessions) -> None:
    with pytest.raises(psycopg.Error) as caught:
        a_stretch_twice(trio[2])
    assert caught.value.sqlstate == "AN409"
    assert echoes(trio[2]) == 1


def test_witness_without_the_guard_of_the_checkpoint_an_effect_is_doubled(trio: Sessions) -> None:
    without(trio[2], "advance_follower", "AND f.position = advance_follower.expected")
    a_stretch_twice(trio[2])
    assert echoes(trio[2]) == 2


def test_an_effect_that_is_rolled_back_takes_the_checkpoint_with_it(trio: Sessions) -> None:
    one, _, watch = trio
    term = lead(watch)
    with one.connection.transaction(force_rollback=True):
        one.rows("SELECT advance_follower('mail', 0, 5, 'r-1', %s)", term)
        one.rows(ECHO)
    assert watch.value("SELECT position FROM followers") == 0
    echo(one, term)
    assert (watch.value("SELECT position FROM followers"), echoes(watch)) == (5, 1)


def test_witness_with_the_checkpoint_in_a_transaction_of_its_own_an_effect_is_lost(trio: Sessions) -> None:
    """A crash between the two: what the one transaction is for."""
    one, _, watch = trio
    term = lead(watch)
    one.rows("SELECT advance_follower('mail', 0, 5, 'r-1', %s)", term)
    with one.connection.transaction(force_rollback=True):
        one.rows(ECHO)
    with pytest.raises(psycopg.Error) as caught:
        echo(one, term)
    assert caught.value.sqlstate == "AN409"
    assert echoes(watch) == 0


# --- a fire: once for each due time

EVERY_MINUTE = '{"cron": "* * * * *", "task_type": "noop"}'


def both_fire(trio: Sessions) -> list[dict[str, Any]]:
    """Two relays that both read the row before either fired."""
    one, other, watch = trio
    watch.rows("SELECT set_schedule('s', %s, at => now() - interval '2 minutes')", EVERY_MINUTE)
    due = watch.value("SELECT date_trunc('minute', now())")
    fire = "SELECT * FROM fire_schedule('s', due_at => %s, version => 1)"
    with one.connection.transaction():
        first = one.rows(fire, due)
        call = Call(other, watch, lambda s: s.rows(fire, due))
        call.settle()
    return [*first, *call.result()]


def fires(s: Session) -> int:
    return int(s.value("SELECT count(*) FROM events WHERE type = 'schedule.fired'"))


def tasks(s: Session) -> int:
    return int(s.value("SELECT count(*) FROM background_tasks"))


VERSION = "OR _row.version IS DISTINCT FROM coalesce(fire_schedule.version, _row.version)"
DUE = "fire_schedule.due_at <= _row.counts_from OR"


def test_of_two_who_fire_one_does(trio: Sessions) -> None:
    assert [row["outcome"] for row in both_fire(trio)] == ["fired", "changed"]
    assert (fires(trio[2]), tasks(trio[2])) == (1, 1)
    assert_folds_agree(trio[2])


def test_without_the_version_the_due_time_itself_is_the_second_belt(trio: Sessions) -> None:
    without(trio[2], "fire_schedule", VERSION)
    assert [row["outcome"] for row in both_fire(trio)] == ["fired", "not_due"]
    assert (fires(trio[2]), tasks(trio[2])) == (1, 1)


def test_witness_without_both_a_schedule_fires_twice_and_only_its_task_is_one(trio: Sessions) -> None:
    without(trio[2], "fire_schedule", VERSION)
    without(trio[2], "fire_schedule", DUE)
    both_fire(trio)
    assert (fires(trio[2]), tasks(trio[2])) == (2, 1)


def test_witness_without_the_unique_key_too_there_are_two_tasks(trio: Sessions) -> None:
    without(trio[2], "fire_schedule", VERSION)
    without(trio[2], "fire_schedule", DUE)
    without(trio[2], "fire_schedule", "'unique_key', 'schedule:'", "'subject', 'schedule:'")
    both_fire(trio)
    assert (fires(trio[2]), tasks(trio[2])) == (2, 2)
