"""Every pair of operations on one delivery: one inside the other's open transaction, both behind a gate.

Whatever the order, nobody deadlocks, no stream has a hole, an attempt is recorded once, a number is given
once, and the folds agree.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import psycopg
import pytest

from tests.model.concurrency import Call
from tests.model.database import Session, assert_folds_agree, session
from tests.model.world import NODES

ENDPOINT = "https://x.example/h"
SECRET = f"whsec_{'YWJj' * 12}"


@dataclass(frozen=True)
class Subject:
    """A task that has ended, its agent, and its webhook that waits for its first attempt."""

    task_id: str
    agent_id: str
    end: int
    delivery_id: str
    term: int


Operation = Callable[[Session, Subject], list[dict[str, Any]]]


def attempt(outcome: str, **detail: Any) -> Operation:
    def end(s: Session, x: Subject) -> list[dict[str, Any]]:
        one = {"delivery_ids": [x.delivery_id], "attempts": [1], "outcomes": [outcome], "details": [detail]}
        return s.call("end_delivery_attempts", **one, relay_id="r-1", term=x.term)

    return end


def make(status: str) -> Operation:
    return lambda s, x: s.call("change_endpoint", endpoint=ENDPOINT, status=status, reason="they deploy")


def repair(read_model: str, stream_type: str, stream_id: Callable[[Subject], str]) -> Operation:
    return lambda s, x: s.rows(
        "SELECT repair_streams(%s, %s, ARRAY[%s])", read_model, stream_type, stream_id(x)
    )


def delete_agent(s: Session, x: Subject) -> list[dict[str, Any]]:
    try:
        return s.call("delete_agent", agent_id=x.agent_id)
    except psycopg.Error as error:
        if error.sqlstate != "AN404":  # the other one was first
            raise
        return []


OPERATIONS: dict[str, Operation] = {
    "deliver": attempt("delivered", http_status=200),
    "fail": attempt("failed", http_status=503, next_delay_ms=1000),
    "give_up": attempt("failed", http_status=410, disable=True),
    "follow": lambda s, x: s.call("request_webhooks", positions=[x.end]),
    "redeliver": lambda s, x: s.call("redeliver", delivery_ids=[x.delivery_id]),
    "pause": make("paused"),
    "disable": make("disabled"),
    "resume": make("active"),
    "rotate": lambda s, x: s.rows("SELECT rotate_secret(%s, %s)", f"endpoint:{ENDPOINT}", SECRET),
    "retain": lambda s, x: s.rows(
        "SELECT apply_retention('deliveries', '1 day', at => now() + interval '2 days')"
    ),
    "retry_task": lambda s, x: s.call("retry_tasks", task_ids=[x.task_id]),
    "delete_agent": delete_agent,
    "repair_deliveries": repair("webhook_deliveries", "webhook", lambda x: x.delivery_id),
    "repair_endpoints": repair("webhook_endpoints", "endpoint", lambda x: ENDPOINT),
    "repair_tasks": repair("background_tasks", "task", lambda x: x.task_id),
}


# What a third party may hold while the two come: released, one of them goes on with what the other waits for.
GATES = {
    "task": "SELECT FROM background_tasks WHERE task_id = %(task_id)s FOR UPDATE",
    "delivery": "SELECT FROM webhook_deliveries WHERE delivery_id = %(delivery_id)s FOR UPDATE",
    "head": "SELECT FROM stream_heads WHERE stream_id = %(delivery_id)s FOR UPDATE",
    "endpoint": "SELECT FROM stream_heads WHERE stream_id = %(endpoint)s FOR UPDATE",
}
Sessions = tuple[Session, Session, Session, Session]


@pytest.fixture(scope="module")
def sessions(module_database: str) -> Iterator[Sessions]:
    """Four sessions on a database of this module's own; the last one watches."""
    with (
        session(module_database) as one,
        session(module_database) as other,
        session(module_database) as third,
        session(module_database) as watch,
    ):
        watch.call("publish_task_types", types=[{"task_type": "noop", "code_version": "1"}])
        watch.call("import_taxonomy", taxonomy_version="1.0.0", nodes=NODES)
        yield one, other, third, watch


def subject(s: Session, *, asked: bool = True) -> Subject:
    """A new one; its endpoint is active."""
    make("active")(s, Subject("", "", 0, "", 0))
    [agent] = s.call("create_agent", name="a", taxonomy_node_ids=[NODES[0]["node_id"]])
    task = {"task_type": "noop", "webhook_url": ENDPOINT, "subject": f"agent:{agent['agent_id']}"}
    [born] = s.call("enqueue_tasks", tasks=[task])
    [gone] = s.call("cancel_tasks", task_ids=[born["task_id"]])
    delivery_id = s.value("SELECT webhook_id(e) FROM events e WHERE e.position = %s", gone["position"])
    if asked:
        s.call("request_webhooks", positions=[gone["position"]])
    [lead] = s.call("lead_relay", relay_id="r-1", host="h", pid=1, lease_seconds=3600)
    term = lead["leads_term"] or s.value("SELECT term FROM relay_lease")
    return Subject(born["task_id"], str(agent["agent_id"]), gone["position"], delivery_id, term)


@pytest.mark.parametrize("commits", [True, False], ids=["commit", "rollback"])
@pytest.mark.parametrize(("first", "second"), list(product(OPERATIONS, OPERATIONS)))
def test_two_operations_on_one_delivery(sessions: Sessions, first: str, second: str, commits: bool) -> None:
    one, other, _, watch = sessions
    x = subject(watch)
    with one.connection.transaction(force_rollback=not commits):
        OPERATIONS[first](one, x)
        call = Call(other, watch, lambda s: OPERATIONS[second](s, x))
        call.settle()
    call.result()
    assert_streams_are_whole(watch, x)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize(("first", "second"), list(combinations(OPERATIONS, 2)))
def test_two_operations_that_wait_behind_a_third(
    sessions: Sessions, gate: str, first: str, second: str
) -> None:
    one, other, third, watch = sessions
    x = subject(watch)
    make("paused")(watch, x)  # so that the endpoint has a row and a head
    names = {"task_id": x.task_id, "delivery_id": x.delivery_id, "endpoint": ENDPOINT}
    with third.connection.transaction():
        third.connection.execute(GATES[gate].encode(), names)
        calls = []
        for at, name in ((one, first), (other, second)):
            calls.append(Call(at, watch, lambda s, name=name: OPERATIONS[name](s, x)))  # type: ignore[misc]
            calls[-1].settle()
    for call in calls:
        call.result()
    assert_streams_are_whole(watch, x)


def assert_streams_are_whole(s: Session, x: Subject) -> None:
    for stream_type, stream_id in (("webhook", x.delivery_id), ("endpoint", ENDPOINT), ("task", x.task_id)):
        versions = [
            row["version"]
            for row in s.rows(
                "SELECT version FROM events WHERE stream_type = %s AND stream_id = %s ORDER BY position",
                *(stream_type, stream_id),
            )
        ]
        assert versions == list(range(1, len(versions) + 1)), stream_type
    attempts = s.rows(
        "SELECT data -> 'attempt' AS n FROM events WHERE stream_id = %s AND data ? 'attempt'", x.delivery_id
    )
    assert len(attempts) <= 1


def test_the_numbers_of_the_endpoint_are_whole_and_the_folds_agree_after_all_pairs(
    sessions: Sessions,
) -> None:
    watch = sessions[3]
    asked = "SELECT DISTINCT stream_id, data -> 'sequence' AS n FROM events WHERE type = 'webhook.requested'"
    numbers = sorted(row["n"] for row in watch.rows(asked))
    assert numbers == list(range(1, len(numbers) + 1))
    assert_folds_agree(watch)
