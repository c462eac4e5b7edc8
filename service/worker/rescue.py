"""Taking tasks from workers that died, and from oneself what one does not know: duties of Liveness."""

import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic

from service.probe import Probe
from service.sections import WorkerSettings
from service.store.pool import Session
from service.store.tasks import TaskStore
from service.store.wire import Json
from service.worker.identity import Identity
from service.worker.rows import held_tasks, suspects
from service.worker.silence import Silence
from service.worker.strays import Strays

logger = logging.getLogger(__name__)


class Rescuer:
    """Watches the other workers and returns the tasks of those that are lost to their queues."""

    def __init__(self, settings: WorkerSettings, identity: Identity) -> None:
        self._identity, self._max_rescues = identity, settings.max_rescues
        self._silence = Silence(settings.lost_after_seconds, longest_gap=3 * settings.heartbeat_seconds)
        self.rescued: Probe[list[str]] = Probe()

    def interrupted(self) -> None:
        """Who cannot see must not judge: all silence is watched anew."""
        self._silence.forget()

    async def look(self, session: Session) -> None:
        """Judge by what was seen. A worker that gave a sign of life meanwhile keeps its tasks."""
        signs = await suspects(session, self._identity.worker_id)
        for worker_id, seen_at in self._silence.look(monotonic(), signs):
            outcomes = await TaskStore(session).rescue(
                worker_id, seen_at, self._max_rescues, actor=self._identity.actor
            )
            tasks = [answer.task_id for answer in outcomes]
            fields = {"lost_worker_id": worker_id, "tasks": len(tasks), "task_ids": tasks[:20]}
            logger.warning("Rescued the tasks of a lost worker", extra={"fields": fields})
            self.rescued.emit(tasks)


class Housekeeper:
    """Releases tasks that are this worker's by the database, and that it has never heard of."""

    def __init__(
        self,
        identity: Identity,
        held: Mapping[str, int],
        claims: Callable[[], Iterable[float | None]],
    ) -> None:
        """`held` is lease by task id; `claims` tells when each claim that is on its way was sent."""
        self._identity, self._held, self._claims = identity, held, claims
        self._strays = Strays()

    def interrupted(self) -> None:
        """A look that was missed changes nothing."""

    async def look(self, session: Session) -> None:
        """Compare the two lists; what is missing in ours for two looks is released."""
        running = await held_tasks(session, self._identity.worker_id)
        strays = self._strays.look(monotonic(), running, self._held, self._claims())
        if not strays:
            return
        ids, leases = [task_id for task_id, _ in strays], [lease for _, lease in strays]
        details = [Json("{}") for _ in strays]
        await TaskStore(session).end_attempts(
            self._identity.worker_id, ids, leases, ["released"] * len(ids), details, ring=True
        )
        logger.warning("Released tasks of a claim whose answer was lost", extra={"fields": {"task_ids": ids}})
