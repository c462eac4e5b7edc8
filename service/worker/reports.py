"""Progress and checkpoints that wait to be written: the latest of each attempt wins.

A handler may report a thousand times a second. Written is at most one event a second for an attempt, and
what repeats the last one only every ten seconds, as a sign that the handler still reports.
"""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Report:
    """What one attempt last said of itself; `checkpoint` is JSON text, None when there is no new one."""

    task_id: str
    lease: int
    percentage: float | None
    step: str | None
    checkpoint: str | None


@dataclass(slots=True)
class _State:
    latest: Report
    written: Report | None = None
    written_at: float = float("-inf")
    waits: bool = True


class Reports:
    """Reports by task. Times are seconds of a monotonic clock, passed in."""

    def __init__(self, min_seconds: float, max_seconds: float) -> None:
        self._min, self._max = min_seconds, max_seconds
        self._states: dict[str, _State] = {}

    def __bool__(self) -> bool:
        """Whether any attempt reported."""
        return bool(self._states)

    def progress(self, task_id: str, lease: int, percentage: float | None, step: str | None) -> None:
        """A handler said how far it is; a checkpoint that waits stays."""
        waiting = self._waiting_checkpoint(task_id)
        self._put(Report(task_id, lease, percentage, step, waiting))

    def checkpoint(self, task_id: str, lease: int, checkpoint: str) -> None:
        """A handler saved a value for its next attempt; percentage and step stay."""
        state = self._states.get(task_id)
        percentage, step = (state.latest.percentage, state.latest.step) if state else (None, None)
        self._put(Report(task_id, lease, percentage, step, checkpoint))

    def due(self, now: float) -> list[Report]:
        """Take what may be written now."""
        ready = [state for state in self._states.values() if state.waits and self._due_at(state) <= now]
        for state in ready:
            state.waits, state.written, state.written_at = False, state.latest, now
            state.latest = Report(*_identity(state.latest), checkpoint=None)
        return [state.written for state in ready if state.written]

    def next_due(self) -> float | None:
        """When the next report may be written; None when none waits."""
        return min((self._due_at(state) for state in self._states.values() if state.waits), default=None)

    def close(self, task_id: str, *, keep_checkpoint: bool) -> Report | None:
        """The attempt ended: forget it. Gives a report whose checkpoint must be written before the end is."""
        state = self._states.pop(task_id, None)
        if keep_checkpoint and state and state.latest.checkpoint is not None:
            return state.latest
        return None

    def _put(self, report: Report) -> None:
        state = self._states.get(report.task_id)
        if state is None or state.latest.lease != report.lease:
            self._states[report.task_id] = _State(report)
        else:
            state.latest, state.waits = report, True

    def _waiting_checkpoint(self, task_id: str) -> str | None:
        state = self._states.get(task_id)
        return state.latest.checkpoint if state and state.waits else None

    def _due_at(self, state: _State) -> float:
        repeats = state.written is not None and state.latest.checkpoint is None
        if repeats and state.written and _identity(state.written) == _identity(state.latest):
            return state.written_at + self._max
        return state.written_at + self._min


def _identity(report: Report) -> tuple[str, int, float | None, str | None]:
    return report.task_id, report.lease, report.percentage, report.step
