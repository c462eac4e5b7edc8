"""What happens to webhooks in a world: asked for, attempted, sent again, their endpoints switched off."""

from typing import Any

from tests.model.world import AGENTS, WEBHOOKS, World

RELAY = "r-1"
FOLLOWER = "webhooks"
REASONS = (None, "they deploy", "gone")
ANSWERS: tuple[dict[str, Any], ...] = (
    {"http_status": 503, "latency_ms": 12.5, "next_delay_ms": 1000},
    {"error": "timeout", "latency_ms": 10_000, "next_delay_ms": 60_000},
    {"error": "connection refused", "next_delay_ms": 1000, "probe": True},
    {"http_status": 404, "latency_ms": 3, "reason": "HTTP 404 is final"},
    {"http_status": 410, "latency_ms": 3, "reason": "HTTP 410", "disable": True},
    {"http_status": 500},
)


def lead(world: World) -> int:
    """The term in which the one relay of the world leads."""
    s = world.session
    (row,) = s.call("lead_relay", relay_id=RELAY, host="h", pid=1, lease_seconds=3600)
    return int(row["leads_term"] or s.value("SELECT term FROM relay_lease"))


def ask(world: World, a: int, b: int, _: int) -> None:
    """As the follower does, in the transaction of its checkpoint; now and then over everything once more."""
    s, term, head = world.session, lead(world), world.session.head()
    (place,) = s.call("open_follower", name=FOLLOWER)
    if a == 0:
        s.call("rewind_follower", name=FOLLOWER, position=0, effects=True)
        (place,) = s.call("open_follower", name=FOLLOWER)
    until = max(place["position"], head - b % 3)
    with s.connection.transaction():
        s.rows("SELECT advance_follower(%s, %s, %s, %s, %s)", FOLLOWER, place["position"], until, RELAY, term)
        ends = [row["webhook_ends"] for row in s.call("webhook_ends", after=place["position"], until=until)]
        s.call("request_webhooks", positions=ends, actor="relay", at=world.now)


def attempt(world: World, a: int, b: int, c: int) -> None:
    """Attempts of what is due end, one to three at once; also late, twice, and of what never was."""
    s, term = world.session, lead(world)
    endpoints = [
        row["endpoint"] for row in s.rows("SELECT endpoint FROM webhook_endpoints ORDER BY endpoint")
    ]
    due = s.call("due_deliveries", probing=endpoints[: c % 3], limit=1 + c % 3, at=world.now)
    picked = [(row["delivery_id"], row["attempts"] + 1) for row in due]
    if b == 0 and picked:
        picked.append(picked[0])
    if b == 1 and (known := sorted(s.read_model("webhook_deliveries").items())):
        name, row = known[a % len(known)]
        picked += [(name, row["attempts"] + c % 3), ("wh-never", 1)]
    told = [(a + 2 * n) % (len(ANSWERS) + 3) for n in range(len(picked))]
    s.call(
        "end_delivery_attempts",
        delivery_ids=[name for name, _ in picked],
        attempts=[number for _, number in picked],
        outcomes=["failed" if n < len(ANSWERS) else "delivered" for n in told],
        details=[ANSWERS[n] if n < len(ANSWERS) else {"http_status": 200, "latency_ms": n} for n in told],
        relay_id=RELAY,
        term=term,
        at=world.now,
    )


def send(world: World, a: int, b: int, c: int) -> None:
    """Two or three tasks end, cancelled or completed; their webhooks are asked for, and attempted."""
    s = world.session
    tasks = [
        {"task_type": "noop", "queue": "mail", "webhook_url": WEBHOOKS[(a + b * n) % len(WEBHOOKS)]}
        for n in range(2 + c % 2)
    ]
    if b % 3 == 0:
        tasks[0]["subject"] = f"agent:{AGENTS[a % 2]}"
    rows = s.call("enqueue_tasks", tasks=tasks, correlation_id=f"w-{a}", at=world.now)
    world.tasks += [row["task_id"] for row in rows]
    s.call("cancel_tasks", task_ids=[rows[0]["task_id"]], at=world.now)
    for got in s.call(
        "claim_tasks", worker_id="w-1", queues=["mail"], task_types=["noop"], slots=9, at=world.now
    ):
        one = {"task_ids": [got["task_id"]], "leases": [got["lease"]], "outcomes": ["completed"]}
        s.call("end_attempts", worker_id="w-1", **one, details=[{"result": {"n": a}}], at=world.now)
    ask(world, a or 1, 0, 0)
    for n in range(1 + c % 4):
        attempt(world, a + 2 * n, 2, b + n)


def send_again(world: World, a: int, b: int, c: int) -> None:
    """Redeliver some by id; or a stretch of the log, where it is settled already."""
    s = world.session
    known = sorted(s.read_model("webhook_deliveries"))
    if c % 3:
        ids = {*known[a % 3 :: 1 + b], *(["wh-never"] if b == 0 else [])}
        s.call("redeliver", delivery_ids=sorted(ids), reason=REASONS[b % 3], actor="api:ops", at=world.now)
        return
    positions = [row["position"] for row in s.events() if row["type"] in ENDS]
    if (
        s.value("SELECT stable_position()") < s.head()
    ):  # nothing is settled inside the transaction of a history
        s.call("request_webhooks", positions=positions[a % 2 :: 2], again=True, at=world.now)
        return
    stretch = {"from_position": 0, "to_position": s.head()}
    foretold = s.call("replay_webhooks", **stretch, dry_run=True)
    told = s.call("replay_webhooks", **stretch, dry_run=False, at=world.now)
    assert [row["outcome"] for row in foretold] == [row["outcome"] for row in told]


ENDS = ("task.completed", "task.failed", "task.timed_out", "task.cancelled")


def endpoint(world: World, a: int, b: int, _: int) -> None:
    """Pause, resume or disable one; mostly resume, or nothing would be sent any more."""
    s = world.session
    names = sorted({row["endpoint"] for row in s.read_model("webhook_deliveries").values()} - {""})
    if names:
        status = ("active", "paused", "active", "disabled")[b % 4]
        s.call(
            "change_endpoint",
            endpoint=names[a % len(names)],
            status=status,
            reason=REASONS[b % 3],
            at=world.now,
        )


def rotate(world: World, a: int, b: int, _: int) -> None:
    """Another secret, of everybody or of one endpoint."""
    s = world.session
    scope = ("default", "endpoint:https://x.example/h")[a % 2]
    s.rows("SELECT rotate_secret(%s, %s, %s, at => %s)", scope, f"whsec_{'YWJj' * 12}", float(b), world.now)
