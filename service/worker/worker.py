"""A worker: claims, runs, reports, proves that it lives; and ends in order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service import __version__
from service.collector import calm_collector
from service.errors import DatabaseUnavailable
from service.fleet.rescue import Rescuer
from service.lifecycle import Supervisor
from service.model.task import ClaimedTask
from service.settings import Settings
from service.store.fleet import FleetStore
from service.store.log import LogReader
from service.store.pool import Database
from service.store.tasks import TaskStore
from service.store.wakeups import Doorbell, Wakeups
from service.watchdog import Watchdog
from service.worker.attempt import Ending
from service.worker.cancellations import Cancellations
from service.worker.claimer import Claimer, Conditions, Scope
from service.worker.executors import AsyncExecutor, ThreadExecutor
from service.worker.flusher import Flusher, Listeners
from service.worker.housekeeper import Housekeeper
from service.worker.identity import Identity
from service.worker.liveness import Liveness
from service.worker.ports import Surroundings
from service.worker.process_pool import ProcessExecutor
from service.worker.registry import KINDS, Registry
from service.worker.reports import Reports
from service.worker.rows import held_tasks
from service.worker.runner import CLEANUP_SECONDS, Runner
from service.worker.slots import Slots

logger = logging.getLogger(__name__)

MACHINERY_CONNECTIONS = 6
# Unconfirmed ends per slot, beyond which nothing is claimed.
BACKLOG_PER_SLOT = 2
FLUSH_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Equipment:
    """Connections of a worker: its own, those of its handlers, the one that hears and the one that rings."""

    machinery: Database
    handlers: Database
    wakeups: Wakeups
    doorbell: Doorbell


@asynccontextmanager
async def equip(settings: Settings, dsn: str) -> AsyncIterator[Equipment]:
    """Open everything that a worker needs, and close it at the end. Raises DatabaseUnavailable."""
    own = settings.database.model_copy(update={"pool_min": 2, "pool_max": MACHINERY_CONNECTIONS})
    async with (
        await Database.open(own, dsn) as machinery,
        await Database.open(settings.database, dsn) as handlers,
        Doorbell(machinery, settings.wakeup) as doorbell,
        Wakeups(settings.database.listen_url or dsn, settings.wakeup) as wakeups,
    ):
        yield Equipment(machinery, handlers, wakeups, doorbell)


async def serve(settings: Settings, dsn: str, registry: Registry, shutdown: asyncio.Event) -> int:
    """Run one worker on a database until shutdown; gives its exit code."""
    with calm_collector():
        async with equip(settings, dsn) as equipment:
            return await Worker(settings, registry, equipment).run(shutdown)


class Worker:
    """One run of one worker process: `run(shutdown)`. The parts are public for tests to wait on."""

    def __init__(self, settings: Settings, registry: Registry, equipment: Equipment) -> None:
        """Must be made on the running loop."""
        own = settings.worker
        self.settings, self.registry, self.equipment = settings, registry, equipment
        self.identity = Identity()
        self.tasks = TaskStore(equipment.machinery)
        self.gate = asyncio.Event()
        self.ready = asyncio.Event()
        self.stopping = False
        self.reports = Reports(own.progress_min_seconds, own.progress_max_seconds)
        listeners = Listeners(
            self._confirmed, lambda task_id, outcome: self.runner.progressed(task_id, outcome)
        )
        self.flusher = Flusher(self.tasks, self.reports, own, self.identity, self._held, listeners)
        self.runner = Runner(registry, self.flusher.end, self.identity)
        self.slots = Slots(
            own.concurrency, {"async": own.concurrency, "thread": own.threads, "process": own.process_pool}
        )
        self.claimers = [self._claimer(kind, types) for kind in KINDS if (types := registry.of_kind(kind))]
        self.rescuer = Rescuer(own, lambda: self.identity.actor, self.identity)
        self.watchdog = Watchdog()
        self.liveness = self._liveness()

    async def run(self, shutdown: asyncio.Event) -> int:
        """Work until shutdown, then end in order; 0 when everything that was claimed is accounted for."""
        await self._prepare()
        async with Supervisor(shutdown) as supervisor:
            flush = supervisor.keep("flush", self.flusher.run)
            supervisor.keep("watchdog", self.watchdog.run)
            supervisor.keep("liveness", self.liveness.run)
            supervisor.keep("cancellations", self._cancellations().run)
            claims = [supervisor.keep("claim", claimer.run) for claimer in self.claimers]
            self.gate.set()
            self.ready.set()
            self._log("Worker started", task_types=sorted(kind.name for kind in self.registry))
            await shutdown.wait()
            return await self._end(claims, flush)

    async def _prepare(self) -> None:
        """Publish what we can run, then register."""
        fleet = FleetStore(self.equipment.machinery)
        if entries := self.registry.catalogue(self.settings.task_types):
            await fleet.publish_task_types(entries)
        around = Surroundings(
            db=self.equipment.handlers,
            tasks=self.tasks,
            reports=self.reports,
            wake_flusher=self.flusher.wake,
            ring=self.equipment.doorbell.ring,
            epoch=await LogReader(self.equipment.machinery).epoch(),
            actor=lambda: self.identity.actor,
            settings=self.settings,
        )
        self.runner.use(
            {
                "async": AsyncExecutor(around, self.slots.give),
                "thread": ThreadExecutor(around, self.slots.give, self.settings.worker.threads),
                "process": ProcessExecutor(around, self.slots.give),
            }
        )
        await self._register()

    async def _register(self) -> None:
        await FleetStore(self.equipment.machinery).start_worker(
            self.identity.worker_id,
            host=self.identity.host,
            pid=self.identity.pid,
            queues=self.settings.worker.queues,
            task_types=sorted(kind.name for kind in self.registry),
            concurrency=self.settings.worker.concurrency,
            code_version=__version__,
        )
        self.equipment.doorbell.ring("annals_events")

    async def _end(self, claims: "list[asyncio.Task[None]]", flush: "asyncio.Task[None]") -> int:
        """Claim no more, let handlers finish, release the rest, write everything, say farewell."""
        self.stopping = True
        for claimer in self.claimers:
            claimer.stop()
        if claims:
            await asyncio.wait(claims)
        if not await self._idle_within(self.settings.worker.grace_seconds):
            self._log("Worker releases what did not finish", task_ids=self.runner.running[:20])
            self.runner.release_all()
            await self._idle_within(CLEANUP_SECONDS)
        await self.runner.close()
        self.flusher.close()
        await asyncio.wait([flush], timeout=FLUSH_PATIENCE_SECONDS)
        if unwritten := self.flusher.backlog:
            self._log("Worker ends with reports that could not be written", logging.ERROR, reports=unwritten)
        try:
            await FleetStore(self.equipment.machinery).stop_worker(self.identity.worker_id)
        except DatabaseUnavailable as error:
            self._log("Worker could not say farewell", logging.ERROR, error=error.message)
            return 1
        self.equipment.doorbell.ring("annals_events")
        self._log("Worker stopped")
        return 1 if unwritten else 0

    async def _idle_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.runner.idle()
        except TimeoutError:
            return False
        return True

    def _claimer(self, kind: str, task_types: list[str]) -> Claimer:
        own = self.settings.worker
        scope = Scope(kind, own.queues, task_types, own.claim_batch, own.poll_interval_seconds)
        limit = max(own.claim_batch, BACKLOG_PER_SLOT * own.concurrency)
        conditions = Conditions(self.gate, lambda: self.flusher.room(limit), self.identity)
        wakeup = self.equipment.wakeups.subscribe("annals_tasks")
        return Claimer(scope, conditions, self.tasks, self.slots, wakeup, self._take)

    def _liveness(self) -> Liveness:
        claims = list(self.claimers)
        housekeeper = Housekeeper(
            self.identity,
            self.runner.held,
            lambda: [claimer.claiming_since for claimer in claims],
            self.runner.lost,
        )
        return Liveness(
            self.equipment.machinery,
            self.settings.worker,
            self.identity,
            fence=self._fence,
            unfence=self.gate.set,
            lost=self._begin_anew,
            signs=lambda: (self.slots.busy, self.watchdog.take_worst(), self.runner.longest_seconds()),
            duties=[self.rescuer, housekeeper],
        )

    def _cancellations(self) -> Cancellations:
        wakeup = self.equipment.wakeups.subscribe("annals_cancel")
        poll = self.settings.worker.cancel_poll_seconds
        return Cancellations(self.tasks, wakeup, poll, lambda: self.runner.running, self.runner.cancel)

    def _take(self, tasks: Sequence[ClaimedTask]) -> None:
        if not self.stopping and self.gate.is_set():
            return self.runner.start(tasks)
        for task in tasks:
            self.runner.give_back(task)
            self.slots.give(self.registry.get(task.task_type).run_in)

    def _fence(self) -> None:
        self.gate.clear()
        self.runner.release_all()

    async def _begin_anew(self) -> None:
        """Our tasks were given to others: when our handlers have stopped, register as another worker."""
        await self._idle_within(CLEANUP_SECONDS)
        self.identity.renew()
        await self._register()

    def _confirmed(self, batch: Sequence[Ending], others: Mapping[str, str]) -> None:
        self.runner.confirmed(batch, others)
        ring = self.equipment.doorbell.ring
        ring("annals_events")
        for ending in batch if others else ():
            outcome = others.get(ending.task.task_id)
            if outcome == "released":
                ring("annals_tasks", f"{ending.task.queue}!")
            elif outcome in ("retry_scheduled", "snoozed"):
                ring("annals_tasks", ending.task.queue)

    async def _held(self) -> dict[str, int]:
        return await held_tasks(self.equipment.machinery, self.identity.worker_id)

    def _log(self, text: str, level: int = logging.INFO, **fields: object) -> None:
        logger.log(level, text, extra={"fields": {"worker_id": self.identity.worker_id, **fields}})
