"""The workloads: each takes a fresh database and gives its figures."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.bench import tasks
from service.bench.figures import Figure, edges, percentile
from service.bench.ground import Counts, Ground

BULK_BATCH = 1000
STEADY_BATCH = CHURN_BATCH = 100
# The producer waits while so many tasks are waiting: this measures the two together, not a growing queue.
STEADY_BACKLOG = 5000
WAKE_PAUSE_SECONDS = 0.05
PACE_SECONDS = 0.01
# The share of a run that counts as its beginning, and as its end.
EDGE = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How much one round does."""

    tasks: int
    seconds: float
    wakeups: int


Workload = Callable[[Ground, Size], Awaitable[list[Figure]]]


async def enqueue_1(ground: Ground, size: Size) -> list[Figure]:
    """Single tasks from one caller of the client."""
    return [Figure("enqueue-1", "rate", await _rate(ground.enqueue_one, size.tasks // 10, 1), "tasks/s")]


async def enqueue_20(ground: Ground, size: Size) -> list[Figure]:
    """Single tasks from 20 callers at once: of the client, and over a connection each."""

    async def alone(payload: dict[str, Any]) -> None:
        await ground.enqueue([payload])

    together = await _rate(ground.enqueue_one, size.tasks // 2, 20)
    each = await _rate(alone, size.tasks // 10, 20)
    return [
        Figure("enqueue-20", "rate", together, "tasks/s"),
        Figure("enqueue-20", "rate, a transaction each", each, "tasks/s"),
    ]


async def bulk(ground: Ground, size: Size) -> list[Figure]:
    """Enqueue in bulk; what it costs the server."""
    idle = await ground.counts()
    began = time.monotonic()
    for batch in _batches(size.tasks, BULK_BATCH):
        await ground.enqueue([tasks.payload(index) for index in batch])
    rate = Figure("bulk", "rate", size.tasks / (time.monotonic() - began), "tasks/s")
    await ground.analyze()
    return [rate, *costs("bulk", await ground.counts() - idle, size.tasks)]


async def life(ground: Ground, size: Size) -> list[Figure]:
    """Enqueue in bulk, then drain with one worker process; what both cost the server."""
    idle = await ground.counts()
    figures = await bulk(ground, size)
    filled = await ground.counts()
    async with ground.worker():
        await ground.until_completed(size.tasks)
        took = (await ground.now() - await ground.began()).total_seconds()
    drained = await ground.counts()
    return [
        *figures,
        Figure("drain", "rate", size.tasks / took, "tasks/s"),
        *costs("drain", drained - filled, size.tasks),
        *costs("in all", drained - idle, size.tasks),
    ]


async def steady(ground: Ground, size: Size) -> list[Figure]:
    """A producer and a worker process at the same time."""
    async with ground.worker():
        rates = await _produce(ground, size.seconds)
    return [Figure("steady", "rate", sum(rates) / len(rates), "tasks/s")]


async def pinned(ground: Ground, size: Size) -> list[Figure]:
    """The same while a forgotten transaction keeps every dead row version."""
    async with ground.pinned_horizon(), ground.worker():
        rates = await _produce(ground, size.seconds)
    edge = max(1, len(rates) // EDGE)
    return [
        Figure("pinned", "rate at the start", sum(rates[:edge]) / edge, "tasks/s"),
        Figure("pinned", "rate at the end", sum(rates[-edge:]) / edge, "tasks/s"),
    ]


async def wakeup(ground: Ground, size: Size) -> list[Figure]:
    """From just before the enqueue to the first line of the handler, in an idle worker."""
    async with ground.worker():
        await ground.enqueue([tasks.payload(0)])
        await ground.until_completed(1)
        for index in range(size.wakeups):
            # The pause is the workload: a worker with nothing to do.
            await asyncio.sleep(WAKE_PAUSE_SECONDS)
            await ground.enqueue([tasks.payload(index)], tasks.WAKE)
        await ground.until_completed(1 + size.wakeups)
    return waits("wakeup", await ground.latencies())


async def half_load(ground: Ground, size: Size) -> list[Figure]:
    """The same in a worker that is given half of what it can do, in small batches."""
    async with ground.worker():
        await ground.enqueue([tasks.payload(0)])
        began = await ground.until_completed(1)
        for batch in _batches(size.tasks, BULK_BATCH):
            await ground.enqueue([tasks.payload(index) for index in batch])
        rate = size.tasks / (await ground.until_completed(1 + size.tasks) - began)
        given = await _pace(ground, rate / 2, size.seconds)
        await ground.until_completed(1 + size.tasks + given)
    load = Figure("half-load", "rate", given / size.seconds, "tasks/s")
    return [load, *waits("half-load", await ground.latencies())]


async def churn(ground: Ground, size: Size, name: str = "churn") -> list[Figure]:
    """Enqueue 100 and wait until they are completed, again and again."""
    async with ground.worker():
        began = time.monotonic()
        # Before the clock starts: plans are made then.
        while time.monotonic() - began < size.seconds / 10:
            await _turn(ground)
        ends: list[float] = []
        began = time.monotonic()
        while not ends or ends[-1] < size.seconds:
            ends.append(await _turn(ground) - began)
    return churned(name, edges(ends, CHURN_BATCH))


async def churn_pinned(ground: Ground, size: Size) -> list[Figure]:
    """The same while a forgotten transaction keeps every dead row version."""
    async with ground.pinned_horizon():
        return await churn(ground, size, "churn-pinned")


WORKLOADS: dict[str, Workload] = {
    "enqueue-1": enqueue_1,
    "enqueue-20": enqueue_20,
    "bulk": bulk,
    "life": life,
    "steady": steady,
    "wakeup": wakeup,
    "half-load": half_load,
    "pinned": pinned,
    "churn": churn,
    "churn-pinned": churn_pinned,
}


async def _rate(enqueue: Callable[[dict[str, Any]], Awaitable[object]], number: int, callers: int) -> float:
    """Tasks a second, from so many callers that each wait for their answer."""
    pending = iter(range(number))

    async def caller() -> None:
        for index in pending:
            await enqueue(tasks.payload(index))

    began = time.monotonic()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return number / (time.monotonic() - began)


async def _pace(ground: Ground, rate: float, seconds: float) -> int:
    """Enqueue so many waking tasks a second, in batches at a steady pace; gives how many in all."""
    given, began = 0, time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        if (due := int(passed * rate) - given) > 0:
            await ground.enqueue([tasks.payload(index) for index in range(due)], tasks.WAKE)
            given += due
        # The pace is the workload.
        await asyncio.sleep(PACE_SECONDS)
    return given


async def _turn(ground: Ground) -> float:
    """Enqueue one batch; gives the monotonic time at which its completion was seen."""
    goal = ground.completed + CHURN_BATCH
    await ground.enqueue([tasks.payload(index) for index in range(CHURN_BATCH)])
    return await ground.until_completed(goal)


async def _produce(ground: Ground, seconds: float) -> list[float]:
    """Enqueue for so long; gives the tasks completed in each second, from the first completion on."""
    rates: list[float] = []
    enqueued = STEADY_BATCH
    await ground.enqueue([tasks.payload(index) for index in range(STEADY_BATCH)])
    await ground.until_completed(1)
    before, since = ground.completed, time.monotonic()
    while len(rates) < seconds:
        if enqueued - await ground.look() < STEADY_BACKLOG:
            await ground.enqueue([tasks.payload(index) for index in range(STEADY_BATCH)])
            enqueued += STEADY_BATCH
        else:
            # The queue is full enough; the worker is another process, so there is nothing to wait for.
            await asyncio.sleep(0.002)
        if (passed := time.monotonic() - since) >= 1:
            rates.append((ground.completed - before) / passed)
            before, since = ground.completed, time.monotonic()
    return rates


def _batches(number: int, size: int) -> Iterator[range]:
    return (range(start, min(start + size, number)) for start in range(0, number, size))


def churned(workload: str, rates: tuple[float, float]) -> list[Figure]:
    """The figures of a churn from its rates in the first and in the last tenth."""
    start, end = rates
    return [
        Figure(workload, "rate at the start", start, "tasks/s"),
        Figure(workload, "rate at the end", end, "tasks/s"),
        Figure(workload, "end / start", end / start, "x"),
    ]


def waits(workload: str, latencies: Sequence[float]) -> list[Figure]:
    """The figures of ordered latencies in milliseconds."""
    return [Figure(workload, f"p{share}", percentile(latencies, share / 100), "ms") for share in (50, 95, 99)]


def costs(workload: str, counts: Counts, number: int) -> Sequence[Figure]:
    """What so many tasks cost the server, each."""
    return (
        Figure(workload, "WAL", counts.wal_bytes / number, "bytes/task"),
        Figure(workload, "row writes", counts.row_writes / number, "rows/task"),
        Figure(workload, "transactions", counts.transactions / number, "tx/task"),
    )
