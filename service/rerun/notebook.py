"""What stands behind a handler's context here: notes instead of reports and a queue, and no database."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from service.errors import AnnalsError
from service.model.task import Enqueued, RequestKey
from service.store.pool import Database

# Kind of a note (progress, checkpoint, enqueued, recorded) and its facts.
Note = tuple[str, dict[str, Any]]


class NoDatabaseHere(AnnalsError):
    """The handler asked for the database."""

    code, exit_code = "no_database", 1

    def __init__(self) -> None:
        super().__init__(
            "replay-local has no database, and this handler uses ctx.db; run its task on a copy instead: "
            "annals audit import, annals tasks retry, annals worker"
        )


class NoDatabase(Database):
    """In the place of the pool: every use of it raises NoDatabaseHere."""

    def __init__(self) -> None:
        pass

    def __getattr__(self, name: str) -> NoReturn:
        raise NoDatabaseHere

    def acquire(self, timeout: float = 0) -> NoReturn:
        """Raise NoDatabaseHere; the shortcuts (fetch, transaction, ...) come here too."""
        raise NoDatabaseHere

    def session(self) -> NoReturn:
        """Raise NoDatabaseHere."""
        raise NoDatabaseHere


class Notebook:
    """Journal and queue of one attempt: it tells each note at once, and keeps what the comparison needs."""

    def __init__(self, tell: Callable[[Note], None], children: Iterable[Mapping[str, Any]] = ()) -> None:
        """`children` are the tasks that were enqueued there: {task_id, task_type, params}, in order."""
        self._tell = tell
        self._children = list(children)
        self._last: tuple[float | None, str | None] | None = None
        self.number = 0

    def progress(self, task_id: str, lease: int, percentage: float | None, step: str | None) -> None:
        """Note progress; what repeats the last report is no news."""
        if (percentage, step) != self._last:
            self._last = (percentage, step)
            self._tell(("progress", {"percentage": percentage, "step": step}))

    def checkpoint(self, task_id: str, lease: int, checkpoint: str) -> None:
        """Note a checkpoint."""
        self._tell(("checkpoint", {"value": json.loads(checkpoint)}))

    async def enqueue(
        self,
        tasks: Sequence[dict[str, Any]],
        *,
        actor: str,
        correlation_id: str | None,
        causation_id: int | None,
        trace: str | None,
        request: RequestKey | None,
    ) -> list[Enqueued]:
        """Note tasks. Each gets the id that it got there, when the same one was enqueued there."""
        return [self._enqueued(ordinal, draft) for ordinal, draft in enumerate(tasks, start=1)]

    def _enqueued(self, ordinal: int, draft: Mapping[str, Any]) -> Enqueued:
        self.number += 1
        task_id = self._id_there(draft) or f"local-{self.number}"
        self._tell(("enqueued", {"task_id": task_id, **draft}))
        return Enqueued(ordinal, task_id, "enqueued", None, str(draft.get("queue", "default")))

    def _id_there(self, draft: Mapping[str, Any]) -> str | None:
        for child in self._children:
            if (child["task_type"], child["params"]) == (draft["task_type"], draft["params"]):
                self._children.remove(child)
                return str(child["task_id"])
        return None
