"""Proving that the worker lives, and stopping it where it cannot.

A sign of life is given every few seconds over a connection that nothing else uses: a handler that occupies
the whole pool must not make its worker look dead. When it could not be given for `self_fence_seconds`, the
worker fences itself: handlers are told to stop and nothing is claimed, before anyone else may give it up
for dead. So a task does not run twice, whichever side of a broken network the worker is on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from service.errors import DatabaseUnavailable
from service.fleet.duty import Duty
from service.probe import Probe
from service.sections import WorkerSettings
from service.store.fleet import FleetStore
from service.store.pool import Database, Session
from service.worker.identity import Identity

logger = logging.getLogger(__name__)


# Slots in use; worst lag of the loop, and for how long the longest attempt runs, in seconds.
Signs = tuple[int, float, float | None]


class Liveness:
    """`fence` stops the handlers, `unfence` lets work begin again, `lost` makes a new worker of this one.

    `duties` are done at each sign of life, over the same connection.
    """

    def __init__(
        self,
        db: Database,
        settings: WorkerSettings,
        identity: Identity,
        *,
        fence: Callable[[], None],
        unfence: Callable[[], None],
        lost: Callable[[], Awaitable[None]],
        signs: Callable[[], Signs] = lambda: (0, 0.0, None),
        duties: Sequence[Duty] = (),
    ) -> None:
        """`signs` gives what each sign of life tells."""
        self._db, self._settings, self._identity = db, settings, identity
        self._fence, self._unfence, self._lost, self._signs, self._duties = (
            fence,
            unfence,
            lost,
            signs,
            duties,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._is_fenced = False
        self.fenced: Probe[bool] = Probe()
        self.renewed: Probe[bool] = Probe()

    async def run(self) -> None:
        """Give signs of life until cancelled; a lost connection is made again."""
        if self._timer is None:
            # Registered a moment ago. Started again after a failure, it has proven nothing.
            self._proven(asyncio.get_running_loop().time())
        try:
            while True:
                try:
                    async with self._db.session() as session:
                        await self._renew_on(session)
                except DatabaseUnavailable as error:
                    fields = {"error": error.hint or error.message}
                    logger.warning("No sign of life: the database is away", extra={"fields": fields})
                except TimeoutError:
                    logger.warning("No sign of life: the database does not answer")
                for duty in self._duties:
                    duty.interrupted()
                await asyncio.sleep(min(1.0, self._settings.heartbeat_seconds / 2))
        except asyncio.CancelledError:
            if self._timer:
                self._timer.cancel()
            raise

    async def _renew_on(self, session: Session) -> None:
        """Renew until the connection breaks. Raises DatabaseUnavailable or TimeoutError."""
        fleet, loop = FleetStore(session), asyncio.get_running_loop()
        while True:
            # The sign of life is as old as the moment before it was sent.
            began = loop.time()
            async with asyncio.timeout(self._settings.heartbeat_seconds):
                alive = await fleet.renew_worker(self._identity.worker_id, *self._signs())
            if alive:
                self._proven(began)
            else:
                await self._given_up()
            self.renewed.emit(alive)
            async with asyncio.timeout(self._settings.lost_after_seconds):
                for duty in self._duties:
                    await duty.look(session)
            await asyncio.sleep(self._settings.heartbeat_seconds)

    def _proven(self, at: float) -> None:
        if self._timer:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(at + self._settings.self_fence_seconds, self._fence_oneself)
        if self._is_fenced:
            self._is_fenced = False
            logger.warning("Worker may work again", extra={"fields": {"worker_id": self._identity.worker_id}})
            self._unfence()
            self.fenced.emit(False)

    def _fence_oneself(self) -> None:
        self._is_fenced = True
        fields = {"worker_id": self._identity.worker_id, "seconds": self._settings.self_fence_seconds}
        logger.error("Worker cannot prove that it lives and stops its handlers", extra={"fields": fields})
        self._fence()
        self.fenced.emit(True)

    async def _given_up(self) -> None:
        logger.error(
            "Worker was given up for dead", extra={"fields": {"worker_id": self._identity.worker_id}}
        )
        self._fence()
        await self._lost()
        self._is_fenced = True
        self._proven(asyncio.get_running_loop().time())
