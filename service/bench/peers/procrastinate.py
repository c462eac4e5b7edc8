"""Procrastinate: psycopg's pool and uvloop, one worker of concurrency 10 that listens.

Jobs that are done stay, as is its default.
"""

import asyncio
from typing import Any

import procrastinate

from service.bench.peers.peer import OnJob, Payload, Peer

CONCURRENCY = 10


class Adapter(Peer):
    """An App to defer, another to work."""

    settings = (
        f"psycopg 3, uvloop, concurrency={CONCURRENCY}, pool of {CONCURRENCY + 2}, listen_notify, "
        "delete_jobs=never"
    )
    batch = 5000
    _worker: "asyncio.Task[None] | None" = None

    async def setup(self) -> None:
        """Its schema."""
        app, _ = self._app(1)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def open(self, connections: int) -> None:
        """A pool of so many."""
        app, self._task = self._app(connections)
        await app.open_async()

    async def enqueue_batch(self, payloads: list[Payload]) -> None:
        """One batch_defer."""
        await self._task.batch_defer_async(*payloads)

    async def enqueue_one(self, payload: Payload) -> None:
        """One defer."""
        await self._task.defer_async(**payload)

    async def start_worker(self, on_job: OnJob) -> None:
        """One worker."""
        self._on_job = on_job
        self._working, _ = self._app(CONCURRENCY + 2)
        await self._working.open_async()
        running = self._working.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False)
        self._worker = asyncio.create_task(running)

    async def stop_worker(self) -> None:
        """Cancelled, which it answers by ending in order."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            await self._working.close_async()

    def _app(self, connections: int) -> tuple[Any, Any]:
        """An app with a pool, and its task."""

        async def bench(t: float, i: int, pad: str) -> None:
            self._on_job(t)

        connector = procrastinate.PsycopgConnector(conninfo=self.dsn, min_size=1, max_size=connections)
        app = procrastinate.App(connector=connector)
        return app, app.task(name="bench", queue="bench")(bench)
