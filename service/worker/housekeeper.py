"""Keeping what a worker does in step with what the database believes it does: a duty of Liveness."""

import logging
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any

from service.fleet.low_water import LowWater
from service.store.pool import Session
from service.store.tasks import TaskStore
from service.worker.identity import Identity
from service.worker.rows import held_tasks
from service.worker.strays import Strays

logger = logging.getLogger(__name__)


class Housekeeper:
    """Releases tasks that are this worker's and unknown to it; drops those that were taken from it."""

    def __init__(
        self,
        identity: Identity,
        held: Mapping[str, int],
        claims: Callable[[], Iterable[float | None]],
        lost: Callable[[str, int], None],
    ) -> None:
        """`held` is lease by task id; `claims` tells when each claim that is on its way was sent.

        `lost(task_id, lease)` is called for what we hold and the database has given to others, or ended: a
        task whose deadline passed while this worker slept, say. Again and again is fine.
        """
        self._identity, self._held, self._claims, self._lost = identity, held, claims, lost
        self._strays, self._low_water = Strays(), LowWater()

    def interrupted(self) -> None:
        """A look that was missed changes nothing; the server may be another one."""
        self._low_water.forget()

    async def look(self, session: Session) -> None:
        """Compare the two lists."""
        # Ours first: what is claimed while the database answers must not count as lost.
        known = dict(self._held)
        running = await held_tasks(session, self._identity.worker_id, self._low_water)
        for task_id, lease in known.items():
            if running.get(task_id) != lease:
                self._lost(task_id, lease)
        await self._release_strays(session, running)

    async def _release_strays(self, session: Session, running: Mapping[str, int]) -> None:
        """What is missing in ours for two looks is released."""
        strays = self._strays.look(monotonic(), running, self._held, self._claims())
        if not strays:
            return
        ids, leases = [task_id for task_id, _ in strays], [lease for _, lease in strays]
        details: list[dict[str, Any]] = [{} for _ in strays]
        await TaskStore(session).end_attempts(
            self._identity.worker_id, ids, leases, ["released"] * len(ids), details, ring=True
        )
        logger.warning("Released tasks of a claim whose answer was lost", extra={"fields": {"task_ids": ids}})
