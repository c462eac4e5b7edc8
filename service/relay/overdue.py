"""Enforcing deadlines where the worker itself hangs: a blocked loop, a stopped process, a lost handler.

A worker ends its attempts at their deadline by itself; what is still running some grace later has a worker
that cannot. Judged is only what this relay has watched being overdue for the whole grace: after an outage
everything looks overdue, and workers that were cut off are about to report what they finished meanwhile.
"""

import logging
from time import monotonic

from service.fleet.low_water import LowWater
from service.fleet.silence import Silence
from service.probe import Probe
from service.sections import RelaySettings
from service.store.pool import Session
from service.store.queries import load
from service.store.tasks import TaskStore

logger = logging.getLogger(__name__)
SQL = load(__package__)
# A transaction holds the rows that it ends, and followers with them.
BATCH = 200


class Overdue:
    """A Duty of the relay that leads, in one term."""

    def __init__(self, settings: RelaySettings, relay_id: str, term: int) -> None:
        self._relay_id, self._term = relay_id, term
        self._low_water = LowWater()
        # Who has not looked for longer than its lease does not lead any more.
        gap = max(settings.lease_seconds, 3 * settings.poll_interval_seconds)
        self._watched = Silence[int](settings.deadline_grace_seconds, longest_gap=gap)
        self.expired: Probe[dict[str, str]] = Probe()

    def interrupted(self) -> None:
        """Who cannot see must not judge: every grace begins anew."""
        self._watched.forget()
        self._low_water.forget()

    async def look(self, session: Session) -> None:
        """End what was overdue for the whole grace. Raises LeaseLost when another relay leads."""
        rows = await session.fetch(SQL.overdue, self._low_water.begin())
        self._low_water.seen(rows[0]["lowest"], rows[0]["settled"])
        overdue = {row["task_id"]: row["lease"] for row in rows if row["task_id"] is not None}
        late = self._watched.look(monotonic(), overdue)
        for start in range(0, len(late), BATCH):
            part = late[start : start + BATCH]
            answers = await TaskStore(session).expire(
                [task_id for task_id, _ in part],
                [lease for _, lease in part],
                relay_id=self._relay_id,
                term=self._term,
            )
            outcomes = dict(answers)
            ended = [task_id for task_id, outcome in outcomes.items() if outcome != "left_alone"]
            if ended:
                fields = {"tasks": len(ended), "task_ids": ended[:20]}
                logger.warning("Ended attempts that their workers did not end", extra={"fields": fields})
            self.expired.emit(outcomes)
