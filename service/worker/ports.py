"""The context's way to the worker: directly on the loop, as messages from threads and processes."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from service.errors import Invalid
from service.model.task import ClaimedTask, Enqueued, RequestKey
from service.settings import Settings
from service.store.pool import Database
from service.urls import check_webhook_urls
from service.worker.attempt import Attempt
from service.worker.payload import encode, storable

Message = tuple[Any, ...]
LONGEST_STEP = 500
# Streams whose rows the service lives by; accepted_records refuses them too.
SERVICE_STREAMS = frozenset(
    [
        "task",
        "queue",
        "key",
        "worker",
        "schedule",
        "follower",
        "webhook",
        "endpoint",
        "retention",
        "projection",
    ]
)


class Queue(Protocol):
    """Where handlers enqueue: the store, or something that only notes what would have been enqueued."""

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
        """Enqueue all of them, or find those of an earlier call with the same request key."""


class Journal(Protocol):
    """What hears of progress and checkpoints; a checkpoint is JSON text."""

    def progress(self, task_id: str, lease: int, percentage: float | None, step: str | None) -> None:
        """A handler said how far it is."""

    def checkpoint(self, task_id: str, lease: int, checkpoint: str) -> None:
        """A handler saved a value for its next attempt."""


@dataclass(slots=True)
class Surroundings:
    """What the attempts of a worker share. `epoch` is the log's."""

    settings: Settings
    db: Database
    tasks: Queue
    reports: Journal
    wake_flusher: Callable[[], None]
    ring: Callable[[str, str], None]
    actor: Callable[[], str]
    epoch: str

    @property
    def max_bytes(self) -> int:
        """Bound of a result, a checkpoint and a record, as JSON."""
        return self.settings.events.max_bytes

    def idempotency_key(self, task_id: str) -> str:
        """The same for every attempt of a task; the epoch keeps two logs apart that number alike."""
        return f"{self.epoch}:{task_id}"


class LoopPort:
    """The port of a coroutine function, and the receiving end of the other ports. Belongs to the loop."""

    __slots__ = ("_around", "_attempt", "_enqueued")

    def __init__(self, attempt: Attempt, around: Surroundings) -> None:
        self._attempt = attempt
        self._around = around
        self._enqueued: dict[str, int] = {}

    @property
    def stopping(self) -> bool:
        """Whether the attempt was told to stop."""
        return self._attempt.stop is not None

    @property
    def db(self) -> Database:
        """The connections of the handlers."""
        return self._around.db

    @property
    def settings(self) -> Settings:
        """The configuration of this process."""
        return self._around.settings

    def report(self, percentage: float, step: str | None) -> None:
        """Note progress; it is written when it is due."""
        task = self._attempt.task
        if not self._attempt.is_over:
            self._around.reports.progress(task.task_id, task.lease, percentage, _short(step))
            self._around.wake_flusher()

    def save(self, checkpoint: Any) -> None:
        """Note a checkpoint. Raises Invalid or TooBig."""
        self.receive(("save", encode(checkpoint, self._around.max_bytes, "The checkpoint")))

    def record(
        self, event_type: str, data: dict[str, Any], stream: tuple[str, str], keep_if_cancelled: bool
    ) -> None:
        """Note an event for the end of the attempt. Raises Invalid or TooBig."""
        limit = self._around.max_bytes
        self.receive(
            ("record", record_json(self._attempt.task, event_type, data, stream, keep_if_cancelled, limit))
        )

    def receive(self, message: Message) -> None:
        """Take ("report", percentage, step), ("save", JSON) or ("record", JSON); late ones are ignored."""
        task = self._attempt.task
        match message:
            case _ if self._attempt.is_over:
                return
            case ("report", percentage, step):
                self.report(percentage, step)
            case ("save", text):
                self._around.reports.checkpoint(task.task_id, task.lease, text)
                self._around.wake_flusher()
            case ("record", text):
                self._attempt.records.append(text)

    async def enqueue(self, draft: dict[str, Any]) -> str:
        """Enqueue a task now, or find the one that an earlier attempt enqueued with the same content."""
        task, around = self._attempt.task, self._around
        allow = around.settings.webhooks.allow_http_localhost
        await check_webhook_urls([draft], allow_localhost=allow)
        content = hashlib.sha256(json.dumps(draft, sort_keys=True, default=str).encode()).hexdigest()
        number = self._enqueued[content] = self._enqueued.get(content, 0) + 1
        (made,) = await around.tasks.enqueue(
            [draft],
            actor=around.actor(),
            correlation_id=task.correlation_id,
            causation_id=task.enqueued_position,
            trace=task.trace,
            request=RequestKey(f"task:{task.task_id}", "enqueue", f"{content}:{number}", content),
        )
        around.ring("annals_tasks", made.queue)
        around.ring("annals_events", "")
        return made.task_id


class MessagePort:
    """The port of a handler in a thread or a process: checks there, then sends a message to the LoopPort."""

    def __init__(
        self,
        task: ClaimedTask,
        send: Callable[[Message], None],
        enqueue: Callable[[dict[str, Any]], str],
        is_stopping: Callable[[], bool],
        max_bytes: int,
    ) -> None:
        """`enqueue` waits for the answer; `send` does not."""
        self._task, self._send, self._max_bytes = task, send, max_bytes
        self._enqueue, self._is_stopping = enqueue, is_stopping

    @property
    def stopping(self) -> bool:
        """Whether the attempt was told to stop."""
        return self._is_stopping()

    def report(self, percentage: float, step: str | None) -> None:
        """Send progress."""
        self._send(("report", percentage, step))

    def save(self, checkpoint: Any) -> None:
        """Send a checkpoint. Raises Invalid or TooBig."""
        self._send(("save", encode(checkpoint, self._max_bytes, "The checkpoint")))

    def record(
        self, event_type: str, data: dict[str, Any], stream: tuple[str, str], keep_if_cancelled: bool
    ) -> None:
        """Send an event. Raises Invalid or TooBig."""
        text = record_json(self._task, event_type, data, stream, keep_if_cancelled, self._max_bytes)
        self._send(("record", text))

    def enqueue(self, draft: dict[str, Any]) -> str:
        """Enqueue a task now and wait for its id."""
        return self._enqueue(draft)


def thread_port(attempt: Attempt, around: Surroundings, loop: asyncio.AbstractEventLoop) -> MessagePort:
    """The port for a handler in a thread of this process."""
    target = LoopPort(attempt, around)

    def enqueue(draft: dict[str, Any]) -> str:
        return asyncio.run_coroutine_threadsafe(target.enqueue(draft), loop).result()

    def send(message: Message) -> None:
        loop.call_soon_threadsafe(target.receive, message)

    return MessagePort(attempt.task, send, enqueue, lambda: target.stopping, around.max_bytes)


def record_json(
    task: ClaimedTask,
    event_type: str,
    data: dict[str, Any],
    stream: tuple[str, str],
    keep_if_cancelled: bool,
    limit: int,
) -> str:
    """An entry of end_attempts' records, as JSON text. Raises Invalid or TooBig."""
    stream_type, stream_id = stream
    if stream_type in SERVICE_STREAMS or not (event_type and stream_type and stream_id):
        raise Invalid(
            f"Cannot record {event_type!r} on stream {stream!r}.",
            hint="Name an event type and a stream (type, id) of your own: not tasks, webhooks and such.",
        )
    entry = {
        "task_id": task.task_id,
        "type": event_type,
        "stream_type": stream_type,
        "stream_id": str(stream_id),
        "keep_if_cancelled": keep_if_cancelled,
        "data": data,
    }
    return encode(entry, limit, f"The data of {event_type}")


def _short(step: str | None) -> str | None:
    return None if step is None else storable(step, LONGEST_STEP)
