"""Forgeries of the log, by name; what verify finds of each stands in found.txt, under that name.

$v is the victim's stream, $type its type, $other a second victim. $early and $late are positions that nobody
used: behind the starts of all tasks, and behind everything they lived.
"""

from dataclasses import dataclass

FIELDS = "recorded_at, version, stream_type, stream_id, type, actor, correlation_id, data"
INTO = f"INSERT INTO events (position, {FIELDS})"
COPY = f"{INTO} SELECT $late, {FIELDS} FROM events WHERE stream_id = '$v'"


@dataclass(frozen=True)
class Forgery:
    """What is done to the log, one statement a line."""

    name: str
    statements: str
    stream_type: str = "task"


def changed(version: int, what: str) -> str:
    """A statement that changes one event of the victim."""
    return (
        f"UPDATE events SET {what} WHERE stream_type = '$type' AND stream_id = '$v' AND version = {version}"
    )


def removed(condition: str) -> str:
    """A statement that takes events of the victim away."""
    return f"DELETE FROM events WHERE stream_type = '$type' AND stream_id = '$v' AND {condition}"


def added(position: str, version: int, kind: str, data: str = "{}") -> str:
    """A statement that adds an event to the victim, in the name of a person."""
    return (
        f"{INTO} VALUES (${position}, now(), {version}, 'task', '$v', '{kind}', 'psql:me', 'c-$v', '{data}')"
    )


FORGERIES = (
    Forgery("data_of_the_first_event", changed(1, "data = data || '{\"priority\": 6}'")),
    Forgery("data_of_the_last_event", changed(6, "data = data || '{\"result\": 9}'")),
    Forgery("error_of_an_earlier_attempt", changed(4, 'data = data || \'{"error_message": "yes"}\'')),
    Forgery("measured_duration", changed(6, "data = data || '{\"duration_ms\": 1}'")),
    Forgery("worker_of_an_attempt", changed(5, 'data = data || \'{"worker_id": "else"}\'')),
    Forgery("number_of_an_attempt", changed(5, "data = data || '{\"attempt\": 7}'")),
    Forgery("number_of_an_attempt_in_a_progress", changed(3, "data = data || '{\"attempt\": 7}'")),
    Forgery("checkpoint_of_a_progress", changed(3, "data = data || '{\"checkpoint\": 2}'")),
    Forgery("priority_that_cannot_be", changed(1, "data = data || '{\"priority\": 99}'")),
    Forgery("type_of_the_last_event", changed(6, "type = 'task.failed'")),
    Forgery("type_of_a_middle_event", changed(3, "type = 'task.abandoned'")),
    Forgery("type_that_nobody_knows", changed(3, "type = 'task.exploded'")),
    Forgery("actor_of_a_start", changed(5, "actor = 'worker:else'")),
    Forgery("time_of_the_last_event", changed(6, "recorded_at = recorded_at - interval '1 hour'")),
    Forgery("time_of_an_enqueue", changed(1, "recorded_at = recorded_at - interval '1 hour'")),
    Forgery("time_days_before", changed(3, "recorded_at = recorded_at - interval '2 days'")),
    Forgery("time_to_come", changed(6, "recorded_at = recorded_at + interval '2 days'")),
    Forgery("correlation_of_a_middle_event", changed(3, "correlation_id = 'else'")),
    Forgery("correlation_of_the_first_event", changed(1, "correlation_id = 'else'")),
    Forgery("cause_to_come", changed(3, "causation_id = position + 1")),
    Forgery("cause_that_is_not_there", changed(3, "causation_id = $early")),
    Forgery("position_of_an_event", changed(6, "position = $late")),
    Forgery("position_never_handed_out", changed(6, "position = 1000000000")),
    Forgery(
        "positions_swapped_in_a_stream",
        "UPDATE events e SET position = o.position FROM events o"
        " WHERE o.stream_id = '$v' AND e.stream_id = '$v' AND (e.version, o.version) IN ((3, 4), (4, 3))",
    ),
    Forgery(
        "positions_swapped_between_streams",
        "UPDATE events e SET position = o.position FROM events o WHERE e.version = 6 AND o.version = 6"
        " AND (e.stream_id, o.stream_id) IN (('$v', '$other'), ('$other', '$v'))",
    ),
    Forgery("first_event_removed", removed("version = 1")),
    Forgery("middle_event_removed", removed("version = 3")),
    Forgery(
        "middle_event_removed_and_the_hole_closed",
        removed("version = 4")
        + "\nUPDATE events SET version = version - 1 WHERE stream_id = '$v' AND version > 4",
    ),
    Forgery("last_event_removed", removed("version = 6")),
    Forgery("all_events_removed", removed("true")),
    Forgery("event_added_at_the_end", added("late", 7, "task.retry_requested")),
    Forgery(
        "event_added_in_the_middle",
        "UPDATE events SET version = version + 1 WHERE stream_id = '$v' AND version > 2\n"
        + added("early", 3, "task.cancellation_requested"),
    ),
    Forgery(
        "event_doubled",
        f"{COPY} AND version = 6",
    ),
    Forgery(
        "event_doubled_under_the_next_version",
        f"{COPY} AND version = 3\nUPDATE events SET version = 7 WHERE position = $late",
    ),
    Forgery(
        "event_moved_to_another_stream",
        changed(6, "stream_id = '$other', version = 7, correlation_id = 'c-$other'"),
    ),
    Forgery("event_moved_to_another_type_of_stream", changed(6, "stream_type = 'thing'")),
    Forgery(
        "stream_added",
        f"{COPY} AND version = 1\nUPDATE events SET stream_id = '$v-added' WHERE position = $late",
    ),
    Forgery("name_of_an_agent", changed(5, 'data = \'{"name": "c"}\''), stream_type="agent"),
    Forgery(
        "measured_coverage", changed(4, "data = data || '{\"overall_coverage\": 90}'"), stream_type="agent"
    ),
    Forgery("latency_of_a_query", changed(3, "data = data || '{\"latency_ms\": 1}'"), stream_type="agent"),
    Forgery("end_of_an_agent", changed(5, "type = 'agent.deleted'"), stream_type="agent"),
    Forgery("host_of_a_worker", changed(1, 'data = data || \'{"host": "else"}\''), stream_type="worker"),
    Forgery("reason_of_a_stop", changed(2, 'data = data || \'{"reason": "else"}\''), stream_type="worker"),
    Forgery("reason_of_a_pause", changed(3, 'data = data || \'{"reason": "else"}\''), stream_type="queue"),
    Forgery("scopes_of_a_key", changed(1, 'data = data || \'{"scopes": ["admin"]}\''), stream_type="key"),
    Forgery("revocation_removed", removed("version = 2"), stream_type="key"),
    Forgery("task_of_a_fire", changed(2, 'data = data || \'{"task_id": "task-2"}\''), stream_type="schedule"),
    Forgery("fire_removed", removed("version = 2"), stream_type="schedule"),
    Forgery(
        "error_of_a_parked_event", changed(1, 'data = data || \'{"error": "yes"}\''), stream_type="follower"
    ),
    Forgery("number_of_a_webhook", changed(4, "data = data || '{\"sequence\": 7}'"), stream_type="webhook"),
    Forgery("url_of_a_webhook", changed(1, 'data = data || \'{"url": "else"}\''), stream_type="webhook"),
    Forgery(
        "answer_to_a_webhook", changed(5, "data = data || '{\"http_status\": 500}'"), stream_type="webhook"
    ),
    Forgery(
        "task_of_a_failed_attempt",
        changed(2, 'data = data || \'{"task_id": "else"}\''),
        stream_type="webhook",
    ),
    Forgery("failed_attempt_removed", removed("version = 2"), stream_type="webhook"),
    Forgery("delivery_removed", removed("version = 5"), stream_type="webhook"),
    Forgery("request_removed", removed("version = 1"), stream_type="webhook"),
    Forgery(
        "reason_of_a_disabled_endpoint",
        changed(1, 'data = data || \'{"reason": "else"}\''),
        stream_type="endpoint",
    ),
    Forgery("end_of_an_endpoint_removed", removed("true"), stream_type="endpoint"),
    Forgery("last_event_of_a_thing_removed", removed("version = 2"), stream_type="thing"),
    # From here on nobody contradicts them: no read model keeps these fields, or a later event overrode them.
    Forgery("actor_of_an_end", changed(6, "actor = 'worker:else'")),
    Forgery("params_of_an_enqueue", changed(1, 'data = data || \'{"params": 1, "backoff": {}}\'')),
    Forgery("traceback_of_a_failure", changed(4, 'data = data || \'{"error_traceback": "else"}\'')),
    Forgery("percentage_overridden_later", changed(3, 'data = data || \'{"percentage": 1, "step": "x"}\'')),
    Forgery("time_of_a_progress", changed(3, "recorded_at = recorded_at + interval '1 hour'")),
    Forgery("trace_of_an_event", changed(3, "trace = 'else'")),
    Forgery("position_between_its_neighbours", changed(3, "position = $early")),
    Forgery(
        "reason_of_an_earlier_pause", changed(1, 'data = data || \'{"reason": "x"}\''), stream_type="queue"
    ),
    Forgery(
        "counts_of_a_measurement", changed(4, "data = data || '{\"target_counts\": 1}'"), stream_type="agent"
    ),
    Forgery(
        "latency_of_an_earlier_attempt",
        changed(2, "data = data || '{\"latency_ms\": 1}'"),
        stream_type="webhook",
    ),
    Forgery("data_of_a_thing", changed(1, "data = '{\"x\": 1}'"), stream_type="thing"),
    Forgery(
        "all_events_and_rows_removed",
        removed("true") + "\nDELETE FROM background_tasks WHERE task_id = '$v'"
        "\nDELETE FROM task_attempts WHERE task_id = '$v'",
    ),
)
