"""Webhooks from psql: what is asked for, what a replay would do, numbers that skip nothing, bad attempts."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.sql.told import Told, at, telling

URL = "https://shop.example/hook?token=1"
ENDPOINT = "https://shop.example/hook"
SECRET = "whsec_" + "YWJj" * 12


@pytest.fixture
def told(module_database: str) -> Iterator[Told]:
    with telling(module_database) as told:
        told.rows("SELECT lead_relay('r-1', 'h', 1)")
        yield told


def ended(told: Told, task_id: str, url: str = URL) -> int:
    """A task with a webhook that ended; where."""
    told.enqueue(0, task_id, webhook_url=url)
    [row] = told.rows("SELECT position FROM cancel_tasks(ARRAY[%s], at => %s)", task_id, at(1))
    return int(row["position"])


def ask(told: Told, *positions: int, again: bool = False) -> list[tuple[Any, ...]]:
    rows = told.rows("SELECT outcome, sequence FROM request_webhooks(%s, %s)", list(positions), again)
    return [(row["outcome"], row["sequence"]) for row in rows]


def make(told: Told, status: str, reason: str | None = "gone") -> None:
    told.rows("SELECT change_endpoint(%s, %s, %s)", URL, status, reason)


def attempts(told: Told, *one: Any) -> list[dict[str, Any]]:
    return told.rows(
        "SELECT * FROM end_delivery_attempts(%s, %s::integer[], %s, %s::jsonb[], 'r-1', 1)", *one
    )


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://Shop.Example:443/a/b?x=1#y", "https://shop.example/a/b"),
        ("http://shop.example:80", "http://shop.example/"),
        ("https://shop.example:8443/A", "https://shop.example:8443/A"),
        ("https://shop.example./?x", "https://shop.example/"),
        ("https://[2001:DB8::1]:443/x", "https://[2001:db8::1]/x"),
        ("https://user@shop.example/", None),
        ("ftp://shop.example/", None),
        ("https://shop.example/a b", None),
        ("https://", None),
    ],
)
def test_an_endpoint_is_its_url_normalised(told: Told, url: str, endpoint: str | None) -> None:
    assert told.rows("SELECT webhook_endpoint(%s) AS it", url) == [{"it": endpoint}]


def test_numbers_leave_nothing_out_and_a_skipped_one_takes_its_when_it_is_sent(told: Told) -> None:
    ends = [ended(told, f"t-{n}") for n in range(4)]
    assert ask(told, ends[0]) == [("requested", 1)]
    make(told, "disabled", None)
    assert ask(told, ends[1]) == [("skipped", None)]
    [skip] = told.rows("SELECT data FROM events WHERE type = 'webhook.skipped'")
    assert skip["data"]["reason"] == "the endpoint is disabled"
    assert ask(told, ends[1], again=True) == [("disabled", None)]
    make(told, "active")
    assert ask(told, ends[3], ends[2]) == [("requested", 2), ("requested", 3)]
    assert ask(told, ends[1]) == [("known", None)]
    assert ask(told, ends[1], again=True) == [("requested", 4)]
    assert ask(told, *ends, again=True) == [("pending", None)] * 4


def test_what_nobody_wanted_to_know_is_not_asked_for(told: Told) -> None:
    told.enqueue(0, "without")
    told.enqueue(0, "with", webhook_url=URL)
    head = told.rows("SELECT max(position) AS it FROM events")[0]["it"]
    assert ask(told, *range(head + 2)) == []


@pytest.mark.parametrize("status", ["active", "paused", "disabled"])
def test_a_dry_run_foretells_what_a_replay_does(database: str, status: str) -> None:
    """Never asked for, delivered, pending, and skipped: whatever its endpoint is."""
    with psycopg.connect(database, autocommit=True, row_factory=psycopg.rows.dict_row) as connection:
        told = Told(connection)
        told.rows("SELECT lead_relay('r-1', 'h', 1)")
        ends = [ended(told, f"t-{n}") for n in range(4)]
        make(told, "disabled")
        ask(told, ends[2])
        make(told, "active")
        ask(told, ends[0], ends[1])
        [first] = told.rows("SELECT delivery_id AS it FROM webhook_deliveries WHERE sequence = 1")
        attempts(told, [first["it"]], [1], ["delivered"], [Jsonb({})])
        make(told, status)
        replay = "SELECT outcome FROM replay_webhooks(0, %s, dry_run => %s)"
        foretold = told.rows(replay, ends[-1], True)
        assert told.rows(replay, ends[-1], False) == foretold
        happens, never = ("disabled", "skipped") if status == "disabled" else ("requested", "requested")
        assert [row["outcome"] for row in foretold] == [happens, "pending", happens, never]


@pytest.mark.parametrize(
    "bad",
    [
        (["x"], [1, 2], ["failed"], [Jsonb({})]),
        (["x"], [1], [], [Jsonb({})]),
        (["x"], [1], ["sent"], [Jsonb({})]),
        (["x"], [1], [None], [Jsonb({})]),
        ([None], [1], ["failed"], [Jsonb({})]),
        (["x"], [None], ["failed"], [Jsonb({})]),
        (["x"], [1], ["failed"], [None]),
        (None, [1], ["failed"], [Jsonb({})]),
        (["x"], None, ["failed"], [Jsonb({})]),
        (["x"], [1], None, [Jsonb({})]),
        (["x"], [1], ["failed"], None),
    ],
)
def test_attempts_that_do_not_fit_together_are_refused(told: Told, bad: tuple[Any, ...]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        attempts(told, *bad)
    assert (caught.value.sqlstate, bool(caught.value.diag.message_hint)) == ("AN422", True)


def test_an_attempt_of_what_never_was_changes_nothing(told: Told) -> None:
    assert attempts(told, ["x"], [1], ["failed"], [Jsonb({})])[0]["outcome"] == "not_found"
    assert told.rows("SELECT FROM stream_heads WHERE stream_type = 'webhook'") == []


def test_nothing_is_sent_to_a_paused_endpoint_but_a_probe(told: Told) -> None:
    ask(told, *(ended(told, f"t-{n}") for n in range(3)))
    make(told, "paused")
    assert told.rows("SELECT * FROM due_deliveries()") == []
    probe = told.rows("SELECT sequence FROM due_deliveries(probing => ARRAY[%s])", ENDPOINT)
    assert probe == [{"sequence": 1}]
    make(told, "disabled")
    assert told.rows("SELECT * FROM due_deliveries(probing => ARRAY[%s])", ENDPOINT) == []


def test_the_newest_secret_signs_and_the_one_before_for_a_while(told: Told) -> None:
    rotate = "SELECT rotate_secret(%s, %s, 60, at => %s)"
    secrets = [SECRET, SECRET.replace("YWJj", "ZGVm", 1), SECRET.replace("YWJj", "MTIz", 1)]
    for n, secret in enumerate(secrets[:2]):
        told.rows(rotate, "default", secret, at(100 * n))
    signing = "SELECT signing_secrets(%s, NULL, %s) AS it"
    assert [row["it"] for row in told.rows(signing, ENDPOINT, at(101))] == [secrets[1], secrets[0]]
    assert [row["it"] for row in told.rows(signing, ENDPOINT, at(161))] == [secrets[1]]
    told.rows(rotate, f"endpoint:{URL}", secrets[2], at(200))
    assert [row["it"] for row in told.rows(signing, ENDPOINT, at(201))] == [secrets[2]]
    logged = told.rows("SELECT e::text AS it FROM events e WHERE e.type = 'secret.rotated'")
    assert len(logged) == 3
    assert not any("YWJj" in row["it"] for row in logged), "a secret stands in the log"
