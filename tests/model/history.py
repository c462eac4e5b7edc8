"""Random histories: programs of operations on a small world of tasks, workers and queues.

Every operation goes through the SQL functions that production uses. Arguments are small numbers that pick
among what is there, so that a shrunk example stays a meaningful one. Time is a clock of the world's own,
which operations move on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.model.database import Session

WORKERS = ("w-1", "w-2")
QUEUES = ("default", "coverage")
OUTCOMES = ("completed", "failed", "timed_out", "cancelled", "released", "snoozed")
AGENTS = ("5f3c0c5e-0000-4000-8000-000000000001", "5f3c0c5e-0000-4000-8000-000000000002")
BACKOFFS = (
    {"kind": "none"},
    {"kind": "fixed", "seconds": 30},
    {"kind": "list", "seconds": [2, 4]},
    {"kind": "exponential", "jitter": 0.5},
)
TYPES = [
    {"task_type": "noop", "code_version": "1"},
    {"task_type": "other", "code_version": "1", "max_attempts": 1},
]

Operation = tuple[str, int, int, int]


@dataclass
class World:
    """What an operation picks from. `held` are the leases ever handed out, also those that are lost."""

    session: Session
    tasks: list[str] = field(default_factory=list)
    held: list[tuple[str, str, int]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    now: datetime = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def prepare(self) -> None:
        for worker_id in WORKERS:
            self.session.call(
                "start_worker",
                worker_id=worker_id,
                host="h",
                pid=1,
                queues=list(QUEUES),
                task_types=["noop", "other"],
                concurrency=4,
                at=self.now,
            )

    def run(self, program: list[Operation]) -> None:
        for name, a, b, c in program:
            self.now += timedelta(seconds=a * 7 + c / 1000 + 0.000001)
            OPERATIONS[name](self, a, b, c)

    def some_tasks(self, a: int, b: int) -> list[str]:
        if not self.tasks:
            return ["task-unknown"]
        return sorted({self.tasks[a % len(self.tasks)], self.tasks[(a + b) % len(self.tasks)]})


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
            task |= {
                "run_at": (world.now + timedelta(seconds=c)).isoformat(),
                "webhook_url": "https://x.example/h",
            }
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
    events = [
        ("task.enqueued", born),
        ("task.started", {"attempt": 1, "worker_id": "api", "occurred_at": began}),
        ("task.progressed", {"attempt": 1, "percentage": 50.0, "step": "half"}),
        ("task.completed", {"attempt": 1, "result": {"n": a}, "occurred_at": world.now.isoformat()}),
    ]
    append(world, "task", task_id, events)
    world.tasks.append(task_id)


def claim(world: World, a: int, b: int, _: int) -> None:
    worker = WORKERS[a % 2]
    rows = world.session.call(
        "claim_tasks",
        worker_id=worker,
        queues=list(QUEUES),
        task_types=["noop", "other"],
        slots=1 + b % 4,
        at=world.now,
    )
    world.held += [(worker, row["task_id"], row["lease"]) for row in rows]


def end(world: World, a: int, b: int, c: int) -> None:
    """End one to three attempts at once: also lost leases, the same task twice, tasks that never were."""
    picked = [world.held[(a + n * b) % len(world.held)] for n in range(1 + c % 3)] if world.held else []
    picked = picked or [("w-1", "task-unknown", 2)]
    details = []
    outcomes = [OUTCOMES[(b + n) % len(OUTCOMES)] for n in range(len(picked))]
    for n, outcome in enumerate(outcomes):
        known: dict[str, dict[str, Any]] = {
            "completed": {"result": {"n": n}, "duration_ms": 12},
            "failed": {
                "error_type": "ValueError",
                "error_message": "no",
                "error_traceback": "...",
                "retry": c % 2 == 0,
            },
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


def cancel(world: World, a: int, b: int, _: int) -> None:
    world.session.call("cancel_tasks", task_ids=world.some_tasks(a, b), reason="not needed", at=world.now)


def retry(world: World, a: int, b: int, _: int) -> None:
    world.session.call("retry_tasks", task_ids=world.some_tasks(a, b), at=world.now)


def rescue(world: World, a: int, b: int, _: int) -> None:
    worker = WORKERS[a % 2]
    seen_at = world.session.value("SELECT seen_at FROM workers WHERE worker_id = %s", worker)
    world.session.call("rescue_tasks", worker_id=worker, seen_at=seen_at, max_rescues=b % 3, at=world.now)


def renew(world: World, a: int, b: int, _: int) -> None:
    """A sign of life is no event; a farewell is."""
    function = "stop_worker" if b % 5 == 0 else "renew_worker"
    world.session.call(function, worker_id=WORKERS[a % 2], at=world.now)


def pause(world: World, a: int, b: int, _: int) -> None:
    function = ("pause_queue", "resume_queue")[b % 2]
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


OPERATIONS: dict[str, Callable[[World, int, int, int], None]] = {
    "enqueue": enqueue,
    "enqueue_done": enqueue_done,
    "claim": claim,
    "end": end,
    "end_with_records": end_with_records,
    "progress": progress,
    "cancel": cancel,
    "retry": retry,
    "rescue": rescue,
    "renew": renew,
    "pause": pause,
    "key": key,
    "delete_agent": delete_agent,
}
# Claims and ends are what histories are made of; the rest disturbs them.
NAMES = [*OPERATIONS, "enqueue", "claim", "claim", "claim", "end", "end", "end"]
programs = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 9), st.integers(0, 9), st.integers(0, 12)),
    min_size=5,
    max_size=30,
)
