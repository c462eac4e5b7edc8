"""The lives of tasks whose costs are counted: each step by the store's own methods, in a worker's batches.

The steps run in their order on one database; each brings as many tasks one step further as it is told.
Nothing depends on the clock, on chance, or on who else works on the machine.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.model.task import ClaimedTask, LaneMark
from service.relay.webhooks import Webhooks
from service.settings import load
from service.store.deliveries import DeliveryStore
from service.store.fleet import FleetStore
from service.store.pool import Database, Session
from service.store.tasks import TaskStore
from service.store.wire import Json

WORKER, RELAY = "worker-1", "relay-1"
BULK, SINGLE = 1000, 200
BATCH = load().worker.claim_batch
ENDPOINT = "https://example.com/hook"
TYPES: list[dict[str, Any]] = [
    {"task_type": name, "queue": name, "code_version": "1", "backoff": {"kind": "none"}}
    for name in ("plain", "single", "failing", "telling")
]
NAMES = [str(kind["task_type"]) for kind in TYPES]
LEAD = "SELECT leads_term FROM lead_relay($1, 'host', 1, NULL, 3600)"
PARAMS = {
    "text": "a hundred bytes of JSON, as in a task that names a document and what to do with it, no more"
}
COMPLETED = Json('{"result":null,"duration_ms":12.345}')
FAILED = Json('{"error_type":"ValueError","error_message":"no such document","duration_ms":12.345}')
DELIVERED = Json('{"http_status":204,"latency_ms":3.25}')


@dataclass
class Lives:
    """One database on which tasks live. `tasks` may be a changed store, to see what that one costs."""

    db: Database
    tasks: TaskStore
    term: int = 0
    told: int = 0
    held: dict[str, list[ClaimedTask]] = field(default_factory=dict)
    marks: dict[str, LaneMark] = field(default_factory=dict)

    async def prepare(self) -> None:
        """A catalogue, a worker, a relay that leads."""
        fleet = FleetStore(self.db)
        await fleet.publish_task_types(TYPES)
        await fleet.start_worker(
            *(WORKER,), host="host", pid=1, queues=NAMES, task_types=NAMES, concurrency=500, code_version="1"
        )
        self.term = await self.db.fetchval(LEAD, RELAY)

    async def enqueue(self, kind: str, number: int, at_once: int, **more: Any) -> None:
        """So many tasks, some of them in each statement."""
        for size in _batches(number, at_once):
            wanted = [{"task_type": kind, "params": PARAMS} | more for _ in range(size)]
            await self.tasks.enqueue(wanted, actor="api:key")

    async def claim(self, kind: str, number: int) -> None:
        """As a worker does: the first claim looks everywhere, those after it begin at a mark."""
        for size in _batches(number, BATCH):
            marks = [self.marks[kind]] if kind in self.marks else []
            claim = await self.tasks.claim(WORKER, [kind], [kind], size, marks)
            assert len(claim.tasks) == size
            last = claim.tasks[-1]
            self.marks[kind] = LaneMark(last.lane, (last.ready_position or 0) + 1, None)
            self.held.setdefault(kind, []).extend(claim.tasks)

    async def end(self, kind: str, number: int, outcome: str, detail: Json) -> None:
        """End what was claimed first."""
        for size in _batches(number, BATCH):
            ended, self.held[kind] = self.held[kind][:size], self.held[kind][size:]
            ids, leases = [task.task_id for task in ended], [task.lease for task in ended]
            answers = await self.tasks.end_attempts(
                WORKER, ids, leases, [outcome] * size, [detail] * size, actor=f"worker:{WORKER}"
            )
            assert {answer.outcome for answer in answers} == {"failed": {"retry_scheduled"}}.get(
                outcome, set()
            )

    async def progress(self, kind: str, number: int) -> None:
        """Each task that is held tells once how far it is."""
        for size in _batches(number, BATCH):
            ids, leases = zip(*((task.task_id, task.lease) for task in self.held[kind][:size]), strict=True)
            steps: Sequence[str] = ["half way"] * size
            await self.tasks.progress(WORKER, ids, leases, [50.0] * size, steps, [{"row": 7}] * size)

    async def look_in_vain(self, number: int) -> None:
        """Claims of a worker that has nothing to do."""
        for _ in range(number):
            assert not (await self.tasks.claim(WORKER, ["empty"], ["plain"], BATCH)).tasks

    async def ask_for_webhooks(self, number: int) -> None:
        """What the follower does for tasks that ended."""
        found = await Webhooks().search(self.db, self.told, number)
        assert len(found.events) == number
        async with self.db.acquire() as connection:
            await Webhooks().apply(Session(connection), found.events, effects=True)
        self.told = found.position

    async def deliver(self, number: int) -> None:
        """What the sender does, when every receiver answers at once."""
        deliveries = DeliveryStore(self.db)
        for size in _batches(number, BATCH):
            ids = [delivery.delivery_id for delivery in await deliveries.due([], [], [], BATCH, size)]
            answers = await deliveries.end_attempts(
                *(ids, [1] * size, ["delivered"] * size, [DELIVERED] * size, RELAY, self.term)
            )
            assert answers == ["recorded"] * size

    async def finish(self, kind: str, number: int, **more: Any) -> None:
        """A whole life, of tasks that the next step needs."""
        await self.enqueue(kind, number, BULK, **more)
        await self.claim(kind, number)
        await self.end(kind, number, "completed", COMPLETED)


@dataclass(frozen=True)
class Step:
    """One step of `number` tasks; `setting` is what happens before it, uncounted."""

    name: str
    number: int
    run: Callable[[Lives, int], Awaitable[None]]
    setting: Callable[[Lives, int], Awaitable[None]] | None = None


async def _again(lives: Lives, number: int) -> None:
    await lives.end("failing", number, "failed", FAILED)
    lives.marks.clear()
    await lives.claim("failing", number)


async def _begun(lives: Lives, number: int) -> None:
    await lives.enqueue("failing", number, BULK)
    await lives.claim("failing", number)


STEPS = (
    Step("enqueue in bulk", 2 * BULK, lambda lives, n: lives.enqueue("plain", n, BULK)),
    Step("claim", 2 * BULK, lambda lives, n: lives.claim("plain", n)),
    Step("complete", 2 * BULK, lambda lives, n: lives.end("plain", n, "completed", COMPLETED)),
    Step("enqueue singly", SINGLE, lambda lives, n: lives.enqueue("single", n, 1)),
    Step(
        "report progress",
        SINGLE,
        lambda lives, n: lives.progress("single", n),
        lambda lives, n: lives.claim("single", n),
    ),
    Step("fail, and begin again", SINGLE, _again, _begun),
    # Their ids are random: of many, about as many fill a page in every run.
    Step(
        "ask for a webhook",
        BULK,
        lambda lives, n: lives.ask_for_webhooks(n),
        lambda lives, n: lives.finish("telling", n, webhook_url=ENDPOINT),
    ),
    Step("deliver a webhook", BULK, lambda lives, n: lives.deliver(n)),
    Step("look for work in vain", SINGLE, lambda lives, n: lives.look_in_vain(n)),
)
LIFE = ("enqueue in bulk", "claim", "complete")


def _batches(number: int, size: int) -> list[int]:
    return [min(size, number - start) for start in range(0, number, size)]
