"""A task's life from the log, for people and for programs: its steps, what it is, where its time went."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from service.model.biography import PhaseTime, Step, birth_facts
from service.store.biography import BiographyStore
from service.store.pool import Database

# So many events of one type in a row are told as one.
FEW = 3


@dataclass(frozen=True, slots=True)
class Life:
    """One task's steps, at least one, and where its time went up to the last of them, or to now."""

    task_id: str
    steps: Sequence[Step]
    time_spent: Sequence[PhaseTime]

    @property
    def facts(self) -> dict[str, Any]:
        """What the task is, as its first event says."""
        first = self.steps[0]
        return birth_facts(first.data, first.changes.get("correlation_id", (None, None))[1])

    def as_records(self) -> Iterator[dict[str, Any]]:
        """For JSON lines: one for each event, and a last one for the whole."""
        yield from map(as_record, self.steps)
        phases = [asdict(phase) for phase in self.time_spent]
        yield {"task_id": self.task_id, "facts": self.facts, "time_spent": phases}


async def replay(db: Database, task_id: str, until: int | None = None) -> Life:
    """Read a life, up to a settled position when one is given. Raises NotFound."""
    store = BiographyStore(db)
    return Life(task_id, await store.history(task_id, until), await store.time_spent(task_id, until))


def as_record(step: Step) -> dict[str, Any]:
    """A step as JSON has it: the gap in milliseconds."""
    record = asdict(step)
    gap: timedelta | None = record.pop("gap")
    return record | {"gap_ms": None if gap is None else gap / timedelta(milliseconds=1)}


def runs(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """The steps in order, with more than FEW of one type in a row together and every other one by itself."""
    start = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or steps[end].type != steps[start].type:
            if end - start > FEW:
                yield steps[start:end]
            else:
                yield from ([step] for step in steps[start:end])
            start = end


def last_failure(steps: Sequence[Step]) -> Step | None:
    """The last step that tells of an error; None when nothing failed."""
    return next((step for step in reversed(steps) if step.data.get("error_type")), None)
