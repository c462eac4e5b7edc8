"""Awa: its Rust core with Python handlers, queue storage (its default), enqueue_many_copy by 5,000."""

from dataclasses import dataclass
from typing import Any

import awa

from service.bench.peers.peer import OnJob, Payload, Peer
from service.store import queries

QUEUE = "bench"
WORKERS = 1024
POLL_MS = 50
CONNECTIONS = 20
STOP_MS = 5000


@dataclass
class BenchJob:
    """The arguments of a job: our payload."""

    t: float
    i: int
    pad: str


class Adapter(Peer):
    """A client to insert, another to work."""

    settings = (
        f"max_workers={WORKERS}, poll_interval_ms={POLL_MS}, max_connections={CONNECTIONS}, queue storage, "
        "enqueue_many_copy"
    )
    batch = 5000
    _worker: Any = None

    def __init__(self, dsn: str) -> None:
        # Its parser wants a host, also where `?host=` names a socket, which wins.
        super().__init__(dsn.replace("@/", "@localhost/", 1))

    async def setup(self) -> None:
        """Its migrations, and what the first worker to start on a fresh database would do."""
        client = awa.AsyncClient(self.dsn)
        await client.migrate()
        transaction = await client.transaction()
        await transaction.execute(queries.load("service.bench.peers").awa_finalize)
        await transaction.commit()
        await client.close()

    async def open(self, connections: int) -> None:
        """A client of so many connections."""
        self._client = awa.AsyncClient(self.dsn, max_connections=connections)

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One COPY."""
        await self._client.enqueue_many_copy([BenchJob(**payload) for payload in payloads], queue=QUEUE)

    async def enqueue_one(self, payload: Payload) -> None:
        """One insert."""
        await self._client.insert(BenchJob(**payload), queue=QUEUE)

    async def start_worker(self, on_job: OnJob) -> None:
        """One worker of one queue."""

        async def bench(job: Any) -> None:
            on_job(job.args.t)

        self._worker = awa.AsyncClient(self.dsn, max_connections=CONNECTIONS)
        self._worker.task(BenchJob, queue=QUEUE)(bench)
        await self._worker.start([(QUEUE, WORKERS)], poll_interval_ms=POLL_MS)

    async def stop_worker(self) -> None:
        """In order."""
        if self._worker is not None:
            await self._worker.shutdown(timeout_ms=STOP_MS)
            await self._worker.close()
