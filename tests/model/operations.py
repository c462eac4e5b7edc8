"""What can happen in a world: every operation goes through the SQL functions that production uses.

Arguments are small numbers that pick among what is there, so that a shrunk example stays a meaningful one.
"""

from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb

from tests.model.world import (
    AGENTS,
    BACKOFFS,
    ERRORS,
    NO_URL,
    OUTCOMES,
    QUEUES,
    TASK_TYPES,
    WEBHOOKS,
    WORKERS,
    World,
)


def enqueue(world: World, a: int, b: int, c: int) -> None:
    tasks: list[dict[str, Any]] = []
    for n in range(1 + a % 3):
        task: dict[str, Any] = {
            "task_type": ("noop", "other")[(b + n) % 2],
            "params": {"n": n},
            "priority": 1 + (b + 3 * n) % 10,
        }
        if b % 2:
            task |= {"max_attempts": 1 + b % 3, "backoff": BACKOFFS[c % 4], "queue": QUEUES[c % 2]}
        if c % 3 == 0:
            task |= {"run_at": (world.now + timedelta(seconds=c)).isoformat()}
        if c % 3 < 2:
            task |= {"webhook_url": WEBHOOKS[(a + b + n) % len(WEBHOOKS)]}
        if c % 4 == 0:
            task |= {"unique_key": f"key-{b % 2}"}
        if c % 5 == 0:
            task |= {"subject": f"agent:{AGENTS[b % 2]}", "timeout_seconds": 1.5}
        tasks.append(task)
    rows = world.session.call("enqueue_tasks", tasks=tasks, correlation_id=f"c-{a}", at=world.now)
    world.tasks += [row["task_id"] for row in rows if row["outcome"] == "enqueued"]


def append(world: World, stream_type: str, stream_id: str, events: list[tuple[str, dict[str, Any]]]) -> None:
    """Append events to one stream in one statement."""
    world.session.rows(
        "SELECT * FROM append_events(ARRAY(SELECT ROW(%s, %s, d ->> 0, d -> 1, NULL, NULL, NULL, NULL)"
        "::event_draft FROM jsonb_array_elements(%s) d), at => %s)",
        stream_type,
        stream_id,
        Jsonb(events),
        world.now,
    )


def enqueue_done(world: World, a: int, b: int, c: int) -> None:
    """A task that was over before it was recorded: three events of one stream in one statement."""
    if ("default", 2, "") not in world.session.lanes():
        return
    task_id = f"sync-{len(world.tasks)}-{a}-{b}-{c}"
    began = (world.now - timedelta(seconds=1 + a)).isoformat()
    born = {"task_type": "noop", "queue": "default", "priority": 5, "max_attempts": 1, "params": {}}
    born |= {"timeout_seconds": 300, "backoff": {"kind": "none"}, "occurred_at": began}
    if c % 2:
        born["webhook_url"] = NO_URL
    events = [
        ("task.enqueued", born),
        ("task.started", {"attempt": 1, "worker_id": "api", "occurred_at": began}),
        ("task.progressed", {"attempt": 1, "percentage": 50.0, "step": "half"}),
        ("task.completed", {"attempt": 1, "result": {"n": a}, "occurred_at": world.now.isoformat()}),
    ]
    append(world, "task", task_id, events)
    world.tasks.append(task_id)


def some_worker(a: int) -> str:
    """Also one that nobody registered: claims by hand ask for no more than a name."""
    return "nobody" if a == 9 else WORKERS[a % 2]


def claim(world: World, a: int, b: int, _: int) -> None:
    worker = some_worker(a)
    rows = world.session.call(
        "claim_tasks",
        worker_id=worker,
        queues=list(QUEUES),
        task_types=TASK_TYPES,
        slots=1 + b % 4,
        at=world.now,
    )
    world.held += [(worker, row["task_id"], row["lease"]) for row in rows]


def end(world: World, a: int, b: int, c: int) -> None:
    """End one to three attempts at once: also lost leases, the same task twice, tasks that never were.

    Mostly the latest ones: an old lease is lost in one way only, and a history is to go on.
    """
    recent = world.held[-3:] if a < 8 else world.held
    picked = [recent[(a + n * b) % len(recent)] for n in range(1 + c % 3)] if recent else []
    picked = picked or [("w-1", "task-unknown", 2)]
    details = []
    outcomes = [OUTCOMES[(b + n) % len(OUTCOMES)] for n in range(len(picked))]
    for n, outcome in enumerate(outcomes):
        known: dict[str, dict[str, Any]] = {
            "completed": {"result": {"n": n}, "duration_ms": 12},
            "failed": ERRORS[(a + b) % len(ERRORS)] | {"retry": c % 2 == 0},
            "timed_out": {"duration_ms": 1500},
            "cancelled": {"reason": "asked"},
            "snoozed": {"delay_seconds": c},
        }
        details.append(known.get(outcome, {}))
    world.session.call(
        "end_attempts",
        worker_id=picked[0][0],
        task_ids=[p[1] for p in picked],
        leases=[p[2] for p in picked],
        outcomes=outcomes,
        details=details,
        at=world.now,
    )


def attempts(world: World, a: int, b: int, c: int) -> None:
    """A few whole attempts, an hour apart so that retries are due; most are not the last of their task."""
    for n in range(1 + c % 4):
        world.now += timedelta(hours=1)
        claim(world, a + n, 1, 0)
        ends = ("released", "failed", "snoozed", "timed_out", "completed", "released", "failed")
        for worker, task_id, lease in world.held[-2:]:
            outcome = ends[(a + b + n) % len(ends)]
            world.session.call(
                "end_attempts",
                worker_id=worker,
                task_ids=[task_id],
                leases=[lease],
                outcomes=[outcome],
                details=[{"error_message": "again"} if outcome == "failed" else {}],
                at=world.now,
            )


def end_with_records(world: World, a: int, b: int, c: int) -> None:
    """Complete (or cancel) an attempt whose handler recorded events of its own."""
    if not world.held:
        return
    worker, task_id, lease = world.held[a % len(world.held)]
    records = [
        {
            "task_id": task_id,
            "type": "thing.seen",
            "stream_type": "thing",
            "stream_id": f"t-{b % 2}",
            "data": {"n": n},
            "keep_if_cancelled": n == 1,
        }
        for n in range(1 + c % 2)
    ]
    outcome = ("completed", "cancelled")[b % 2]
    world.session.call(
        "end_attempts",
        worker_id=worker,
        task_ids=[task_id],
        leases=[lease],
        outcomes=[outcome],
        details=[{}],
        records=records,
        at=world.now,
    )


def progress(world: World, a: int, b: int, c: int) -> None:
    if world.held:
        worker, task_id, lease = world.held[a % len(world.held)]
        world.session.call(
            "progress_tasks",
            worker_id=worker,
            task_ids=[task_id],
            leases=[lease],
            percentages=[(b % 9) * 12.5],
            steps=[(None, "reading", "writing")[c % 3]],
            checkpoints=[({"at": c}, None)[b % 2]],
            at=world.now,
        )


def cancel(world: World, a: int, b: int, c: int) -> None:
    task_ids = world.some_tasks(a, b, ("running", "pending")[c % 2])
    world.session.call("cancel_tasks", task_ids=task_ids, reason="not needed", at=world.now)


def retry(world: World, a: int, b: int, _: int) -> None:
    task_ids = world.some_tasks(a, b, "failed", "timeout", "cancelled")
    world.session.call("retry_tasks", task_ids=task_ids, at=world.now)


def rescue(world: World, a: int, b: int, _: int) -> None:
    worker = some_worker(a)
    seen_at = world.session.value("SELECT seen_at FROM workers WHERE worker_id = %s", worker)
    world.session.call("rescue_tasks", worker_id=worker, seen_at=seen_at, max_rescues=b % 3, at=world.now)


def expire(world: World, a: int, b: int, c: int) -> None:
    """End attempts past their deadline: also ones with time left, and leases that are lost."""
    if not world.held:
        return
    world.now += timedelta(seconds=(0, 2, 600)[b % 3])
    picked = [world.held[(a + n * b) % len(world.held)] for n in range(1 + c % 3)]
    world.session.call(
        "expire_tasks",
        task_ids=[task_id for _, task_id, _ in picked],
        leases=[lease for _, _, lease in picked],
        at=world.now,
    )


def renew(world: World, a: int, b: int, _: int) -> None:
    """A sign of life is no event; a farewell is."""
    function = "stop_worker" if b % 5 == 0 else "renew_worker"
    world.session.call(function, worker_id=WORKERS[a % 2], at=world.now)


def pause(world: World, a: int, b: int, _: int) -> None:
    function = "pause_queue" if b % 4 == 1 else "resume_queue"
    world.session.call(function, queue=QUEUES[a % 2], reason="deploy", at=world.now)


def key(world: World, a: int, b: int, _: int) -> None:
    name, known = f"key-{a % 3}", world.session.read_model("api_keys")
    if name not in known:
        world.session.call(
            "create_key",
            name=name,
            hash=bytes([a % 3]) * 32,
            scopes=["read", "write"][: 1 + b % 2],
            expires_at=world.now,
            at=world.now,
        )
    elif known[name]["revoked_at"] is None:
        world.session.call("revoke_key", name=name, at=world.now)


def delete_agent(world: World, _: int, b: int, c: int) -> None:
    """The end of an agent takes its tasks along; rare, or nothing else would ever be seen of them."""
    agent_id = AGENTS[b % 2]
    if c % 4 == 0 and agent_id not in world.deleted:
        world.deleted.add(agent_id)
        append(world, "agent", agent_id, [("agent.deleted", {})])
