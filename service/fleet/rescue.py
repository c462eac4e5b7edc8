"""Taking tasks from workers that died, and from those that nobody knows."""

import logging
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from service.fleet.low_water import LowWater
from service.fleet.silence import Silence
from service.probe import Probe
from service.sections import WorkerSettings
from service.store.pool import Session
from service.store.queries import load
from service.store.tasks import TaskStore

logger = logging.getLogger(__name__)
SQL = load(__package__)


class Sign(NamedTuple):
    """The last sign of life: a worker's `seen_at`; of who is none, the position of a task's `last_change`."""

    seen_at: datetime | None
    last_change: int | None


class Rescuer:
    """A Duty: watches the workers and returns the tasks of those that are lost to their queues."""

    def __init__(
        self, settings: WorkerSettings, actor: Callable[[], str], oneself: Callable[[], str] | None = None
    ) -> None:
        """`actor` as events name it; `oneself` is the worker that looks, if it is one."""
        self._actor, self._oneself, self._max_rescues = actor, oneself, settings.max_rescues
        self._silence = Silence[Sign](settings.lost_after_seconds, longest_gap=3 * settings.heartbeat_seconds)
        self._low_water = LowWater()
        self.rescued: Probe[list[str]] = Probe()

    def interrupted(self) -> None:
        """Who cannot see must not judge: all silence is watched anew."""
        self._silence.forget()
        self._low_water.forget()

    async def look(self, session: Session) -> None:
        """Judge by what was seen. A worker that gave a sign of life meanwhile keeps its tasks."""
        oneself = self._oneself() if self._oneself else None
        rows = await session.fetch(SQL.suspects, oneself, self._low_water.begin())
        self._low_water.seen(rows[0]["lowest"], rows[0]["settled"])
        signs = {
            row["worker_id"]: Sign(row["seen_at"], row["last_change"])
            for row in rows
            if row["worker_id"] is not None
        }
        for worker_id, sign in self._silence.look(monotonic(), signs):
            outcomes = await TaskStore(session).rescue(
                worker_id, sign.seen_at, self._max_rescues, actor=self._actor(), last_change=sign.last_change
            )
            tasks = [answer.task_id for answer in outcomes]
            fields = {"lost_worker_id": worker_id, "tasks": len(tasks), "task_ids": tasks[:20]}
            logger.warning("Rescued the tasks of a lost worker", extra={"fields": fields})
            self.rescued.emit(tasks)
