"""The small world of a history: a few workers, two queues, and what has happened so far."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.model.database import Session

WORKERS = ("w-1", "w-2")
QUEUES = ("default", "coverage")
OUTCOMES = ("completed", "failed", "timed_out", "cancelled", "released", "snoozed")
NODES = [
    {"node_id": "00000000-0000-4000-8000-00000000000a", "label": "Science", "canonical_path": ["Science"]},
    {"node_id": "00000000-0000-4000-8000-00000000000b", "label": "Arts", "canonical_path": ["Arts"]},
]
TASK_TYPES = ["noop", "other", "coverage_refresh"]
AGENTS = ("5f3c0c5e-0000-4000-8000-000000000001", "5f3c0c5e-0000-4000-8000-000000000002")
# Three endpoints under four names.
WEBHOOKS = (
    "https://x.example/h",
    "https://X.example:443/h?token=1",
    "https://y.example",
    "http://y.example:8080/",
)
NO_URL = "https://somebody@z.example/"  # refused today; a log of before may tell of it
BACKOFFS = (
    {"kind": "none"},
    {"kind": "fixed", "seconds": 30},
    {"kind": "list", "seconds": [2, 4]},
    {"kind": "exponential", "jitter": 0.5},
)
TRACE = 'Traceback (most recent call last):\n  File "/{}/shop/tasks.py", line {}, in charge\n'
# The first two are one error: only what changes from one occurrence to the next is different.
ERRORS: tuple[dict[str, str], ...] = (
    {
        "error_type": "KeyError",
        "error_message": "order 17 of 'kim'",
        "error_traceback": TRACE.format("a", 7),
    },
    {
        "error_type": "KeyError",
        "error_message": "order 4711 of 'lee'",
        "error_traceback": TRACE.format("b", 9),
    },
    {"error_type": "ValueError", "error_message": "no", "error_traceback": "..."},
    {"error_message": "다시 시도하세요: 3회"},
)
TYPES = [
    {"task_type": "noop", "code_version": "1"},
    {"task_type": "other", "code_version": "1", "max_attempts": 1},
]


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
                task_types=TASK_TYPES,
                concurrency=4,
                at=self.now,
            )

        self.session.call("import_taxonomy", taxonomy_version="1.0.0", nodes=NODES)

    def some_agent(self, a: int) -> str | None:
        """One that is alive, or None."""
        alive = sorted(map(str, self.session.read_model("agents")))
        return alive[a % len(alive)] if alive else None

    def some_tasks(self, a: int, b: int, *statuses: str) -> list[str]:
        """Two tasks (perhaps the same twice), of these statuses when b is not 0 and there are any."""
        fitting = [
            name
            for name, row in self.session.read_model("background_tasks").items()
            if row["status"] in statuses
        ]
        tasks = sorted(fitting) if b and fitting else self.tasks or ["task-unknown"]
        return sorted({tasks[a % len(tasks)], tasks[(a + b) % len(tasks)]})
