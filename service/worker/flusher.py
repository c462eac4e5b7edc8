"""Writing what attempts report: ends and progress, in batches of whatever is there.

One flush is on its way at a time; what is reported meanwhile is the next batch. The first report after a
pause is written at once, so a lone task does not wait for company. Progress goes before ends, so that a
checkpoint is never later than the end of its attempt. A report is kept until the database has confirmed it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from service.sections import WorkerSettings
from service.store.tasks import TaskStore
from service.store.wire import Json
from service.worker.attempt import Ending, failed
from service.worker.delivery import Delivery
from service.worker.reports import Report, Reports

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears what became of reports: `ended(batch, others)`, `progressed(task_id, outcome)`.

    `others` has the outcome of each task that did not complete, or `unconfirmed`.
    """

    ended: Callable[[Sequence[Ending], Mapping[str, str]], None]
    progressed: Callable[[str, str], None]


class Flusher:
    """Owned by one loop: `run()` until `close()` was called and everything is written."""

    def __init__(
        self,
        tasks: TaskStore,
        reports: Reports,
        settings: WorkerSettings,
        worker_id: Callable[[], str],
        held: Callable[[], Awaitable[dict[str, int]]],
        listeners: Listeners,
    ) -> None:
        """`held` asks the database which (task, lease) this worker still holds."""
        self._tasks, self._reports, self._worker_id = tasks, reports, worker_id
        self._interval = settings.flush_interval_ms / 1000
        self._batch = settings.claim_batch
        self._held, self._listeners = held, listeners
        self._endings: deque[Ending] = deque()
        self._last_words: list[Report] = []
        self._in_flight = 0
        self._due = asyncio.Event()
        self._flushed = asyncio.Event()
        self._closing = False
        self._ends = Delivery("flush of ends", self._send_ends, self._still_held, self._replace_poison)
        self._progress = Delivery("flush of progress", self._send_progress, _all_of_them, self._drop_report)

    @property
    def backlog(self) -> int:
        """Ends that are not confirmed yet."""
        return len(self._endings) + self._in_flight

    def end(self, ending: Ending) -> None:
        """Report the end of an attempt; returns at once."""
        if self._reports:
            self._close_reports(ending)
        self._endings.append(ending)
        self._due.set()

    def _close_reports(self, ending: Ending) -> None:
        task = ending.task
        kept = self._reports.close(task.task_id, keep_checkpoint=ending.verdict.outcome != "completed")
        if kept and kept.lease == task.lease:
            self._last_words.append(kept)

    def wake(self) -> None:
        """Progress was reported."""
        self._due.set()

    def close(self) -> None:
        """Let run() return as soon as everything is written."""
        self._closing = True
        self._due.set()

    async def room(self, limit: int) -> None:
        """Wait while more than `limit` ends are unconfirmed: claims must not outrun the database."""
        while self.backlog > limit:
            self._flushed.clear()
            await self._flushed.wait()

    async def run(self) -> None:
        """Flush until closed."""
        clock = asyncio.get_running_loop().time
        began = float("-inf")
        while await self._something_is_due():
            await asyncio.sleep(max(0.0, began + self._interval - clock()))
            began = clock()
            await self._flush(began)

    async def _something_is_due(self) -> bool:
        clock = asyncio.get_running_loop().time
        while not self._endings:
            self._due.clear()
            soonest = self._reports.next_due()
            if soonest is not None and soonest <= clock():
                return True
            if self._closing:
                return False
            try:
                async with asyncio.timeout_at(soonest):
                    await self._due.wait()
            except TimeoutError:
                continue
        return True

    async def _flush(self, now: float) -> None:
        # All taken in one moment: an end that comes while progress is being written waits for its last words.
        reports = self._reports.due(now) + self._last_words
        self._last_words = []
        batch = [self._endings.popleft() for _ in range(min(len(self._endings), self._batch))]
        self._in_flight = len(batch)
        is_delivered = False
        try:
            if reports:
                await self._progress.deliver(reports)
            if batch:
                await self._ends.deliver(batch)
            is_delivered = True
        finally:
            self._in_flight = 0
            if not is_delivered:
                # Stopped or broken half way: what is not confirmed is still to be written.
                self._endings.extendleft(reversed(batch))
            self._flushed.set()

    async def _send_ends(self, batch: list[Ending]) -> None:
        records = [record for _, _, _, recorded in batch if recorded for record in recorded]
        others = await self._tasks.end_attempts(
            self._worker_id(),
            [task.task_id for task, _, _, _ in batch],
            [task.lease for task, _, _, _ in batch],
            [verdict.outcome for _, verdict, _, _ in batch],
            [ending.detail_json() for ending in batch],
            Json(f"[{','.join(records)}]") if records else None,
        )
        self._listeners.ended(batch, dict(others))

    async def _still_held(self, batch: list[Ending]) -> list[Ending]:
        """After a lost answer: what is not held any more was written then, or taken by a rescue."""
        held = await self._held()
        open_ = [ending for ending in batch if held.get(ending.task.task_id) == ending.task.lease]
        self._unconfirmed([e for e in batch if held.get(e.task.task_id) != e.task.lease])
        return open_

    def _unconfirmed(self, batch: list[Ending]) -> None:
        if batch:
            self._listeners.ended(batch, {ending.task.task_id: "unconfirmed" for ending in batch})

    async def _replace_poison(self, ending: Ending, error: Exception) -> None:
        """An end that cannot be written becomes a failure that can; one that fails too is given up."""
        fields = {"task_id": ending.task.task_id, "outcome": ending.verdict.outcome}
        logger.error("The end of a task cannot be recorded", exc_info=error, extra={"fields": fields})
        if ending.verdict.detail.get("reason") == "not_recordable":
            return self._unconfirmed([ending])
        message = f"the end of the attempt ({ending.verdict.outcome}) could not be recorded: {error}"
        verdict = failed(type(error).__name__, message, retry=False, reason="not_recordable")
        await self._ends.deliver([ending._replace(verdict=verdict, records=[])])

    async def _send_progress(self, batch: list[Report]) -> None:
        answers = await self._tasks.progress(
            self._worker_id(),
            [report.task_id for report in batch],
            [report.lease for report in batch],
            [report.percentage for report in batch],
            [report.step for report in batch],
            [None if report.checkpoint is None else Json(report.checkpoint) for report in batch],
        )
        for answer in answers:
            self._listeners.progressed(answer.task_id, answer.outcome)

    async def _drop_report(self, report: Report, error: Exception) -> None:
        fields = {"task_id": report.task_id}
        logger.error("Progress cannot be recorded", exc_info=error, extra={"fields": fields})


async def _all_of_them(batch: list[Report]) -> list[Report]:
    """Progress that was written twice does no harm."""
    return batch
