"""The workloads of `annals bench --against`: each takes a queue's fresh database and gives its figures.

They bear the names that our own workloads have and measure the same, but drive each queue by its agent.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from service.bench.figures import Figure, edges, percentile
from service.bench.ground import Counts
from service.bench.place import Place
from service.bench.workloads import (
    CHURN_BATCH,
    STEADY_BACKLOG,
    STEADY_BATCH,
    WAKE_PAUSE_SECONDS,
    Size,
    churned,
    costs,
)

Race = Callable[[Place, Size], Awaitable[list[Figure]]]
# What a worker gets to connect, listen and look after its tables before it is measured idle.
SETTLE_SECONDS = 1.0
# Beyond the time a command is told to take.
PATIENCE_SECONDS = 120.0


async def single(place: Place, size: Size, clients: int) -> list[Figure]:
    """One job a transaction, from so many clients at once."""
    # Many at once are faster: they get more to do, so that both take long enough to be measured.
    number = max(clients, size.tasks // (10 if clients == 1 else 4))
    async with place.agent() as producer:
        await producer.call("open", connections=clients)
        # Connections are made and statements prepared before the clock starts.
        await producer.call("single", number=2 * clients, clients=clients)
        took = (await producer.call("single", number=number, clients=clients))["elapsed"]
    return [Figure(f"enqueue-{clients}", "rate", number / took, "tasks/s")]


async def bulk(place: Place, size: Size) -> list[Figure]:
    """By the queue's own bulk call; what it cost the server."""
    idle = await place.counts()
    async with place.agent() as producer:
        await producer.call("open", connections=1)
        took = (await producer.call("bulk", number=size.tasks))["elapsed"]
    spent = await place.counts() - idle
    return [Figure("bulk", "rate", size.tasks / took, "tasks/s"), *costs("bulk", spent, size.tasks)]


async def life(place: Place, size: Size) -> list[Figure]:
    """Enqueue in bulk, drain with one worker process; what both cost the server, and what is left of it."""
    before, idle = await place.kept(), await place.counts()
    figures = await bulk(place, size)
    filled = await place.counts()
    await place.analyze()
    began = await place.counts()
    async with place.agent() as worker, place.connection() as connection:
        await worker.call("start")
        first = (await worker.call("reach", number=size.tasks))["first"]
        ended, looks = await place.until_empty(connection)
    drained = await place.counts() - began - Counts(0, looks, 0)
    kept = await place.kept()
    rows = {table: number - before.get(table, 0) for table, number in kept.items()}
    place.left = left = {table: number for table, number in rows.items() if number > 0}
    return [
        *figures,
        Figure("drain", "rate", size.tasks / (ended - first), "tasks/s"),
        *costs("drain", drained, size.tasks),
        *costs("in all", filled - idle + drained, size.tasks),
        Figure("in all", "rows kept", sum(left.values()) / size.tasks, "rows/task"),
    ]


async def steady(place: Place, size: Size) -> list[Figure]:
    """A producer and a worker process at the same time."""
    async with place.agent() as worker, place.agent() as producer:
        await producer.call("open", connections=1)
        worker.on_progress = lambda jobs: producer.tell("progress", jobs=jobs)
        await worker.call("start", settle=SETTLE_SECONDS, progress=True)
        await producer.call("bulk", number=STEADY_BATCH)
        await worker.call("reach", number=STEADY_BATCH)
        limit = size.seconds + PATIENCE_SECONDS
        facts = {"size": STEADY_BATCH, "backlog": STEADY_BACKLOG, "seconds": size.seconds}
        took = (await producer.call("produce", limit=limit, **facts))["elapsed"]
        done = (await worker.call("stats"))["count"] - STEADY_BATCH
    return [Figure("steady", "rate", done / took, "tasks/s")]


async def wakeup(place: Place, size: Size) -> list[Figure]:
    """From just before the enqueue to the first line of the handler, in an idle worker."""
    async with place.agent() as worker, place.agent() as producer:
        await producer.call("open", connections=1)
        await worker.call("start", settle=SETTLE_SECONDS, latencies=True)
        await producer.call("single", number=1, clients=1)
        await worker.call("reach", number=1)
        limit = size.wakeups * WAKE_PAUSE_SECONDS + PATIENCE_SECONDS
        await producer.call("pace", limit=limit, number=size.wakeups, pause=WAKE_PAUSE_SECONDS)
        await worker.call("reach", number=1 + size.wakeups)
        # The first woke a worker that had just started.
        found = sorted(1000 * seconds for seconds in (await worker.call("stats"))["latencies"][1:])
    return [Figure("wakeup", f"p{share}", percentile(found, share / 100), "ms") for share in (50, 95, 99)]


async def churn(place: Place, size: Size, name: str = "churn") -> list[Figure]:
    """Enqueue 100 and wait until they ran, again and again, in one process."""
    async with place.agent() as both:
        await both.call("open", connections=1)
        await both.call("start", settle=SETTLE_SECONDS)
        limit = size.seconds + PATIENCE_SECONDS
        ends = (await both.call("churn", limit=limit, seconds=size.seconds, size=CHURN_BATCH))["ends"]
    return churned(name, edges(ends, CHURN_BATCH))


async def churn_pinned(place: Place, size: Size) -> list[Figure]:
    """The same while a forgotten transaction keeps every dead row version."""
    async with place.pinned_horizon():
        return await churn(place, size, "churn-pinned")


RACES: dict[str, Race] = {
    "enqueue-1": partial(single, clients=1),
    "enqueue-20": partial(single, clients=20),
    "bulk": bulk,
    "life": life,
    "steady": steady,
    "wakeup": wakeup,
    "churn": churn,
    "churn-pinned": churn_pinned,
}
