"""The service's own log: JSON lines (text on a terminal), written by a thread of their own.

Logging never blocks the event loop: a record goes into a bounded queue, and when nobody reads stderr
fast enough it is dropped and counted instead of waited for. The count is reported as a line of its own
as soon as there is room again, and once more at exit. Facts travel as fields:

    logger.info("task failed", extra={"fields": {"task_id": task_id, "attempt": 2}})
"""

import atexit
import copy
import json
import logging
import queue
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import TextIO

from service.sections import LogSettings

LEVEL_STYLES = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
# What every record has; anything else was given by `extra` and is a field.
ORDINARY = {*vars(logging.makeLogRecord({})), "message", "asctime", "fields"}


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The facts of a record: `extra={"fields": {...}}`, and other extras by their own names."""
    given = {name: value for name, value in vars(record).items() if name not in ORDINARY}
    fields = getattr(record, "fields", None)
    return given | dict(fields) if isinstance(fields, Mapping) else given


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, logger, message, the fields, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A field never hides what every line has.
        line |= {name: value for name, value in fields_of(record).items() if name not in line}
        if record.exc_text:
            line["traceback"] = record.exc_text
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """For people: time, level, logger, message, then name=value; coloured on a terminal."""

    def __init__(self, coloured: bool) -> None:
        super().__init__()
        self.coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        level = f"{record.levelname:<7}"
        if self.coloured and (style := LEVEL_STYLES.get(record.levelname)):
            level = f"\x1b[{style}m{level}\x1b[0m"
        facts = "".join(f" {name}={value}" for name, value in fields_of(record).items())
        logger = record.name.removeprefix("service.")
        return f"{at} {level} {logger}: {record.getMessage()}{facts}" + (
            f"\n{record.exc_text}" if record.exc_text else ""
        )


class DroppingHandler(QueueHandler):
    """Puts records into the queue; counts those for which it has no room."""

    queue: "queue.Queue[object]"

    def __init__(self, size: int) -> None:
        super().__init__(queue.Queue(size))
        self.dropped = 0
        self._reported = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Render message and traceback now: their arguments may change before the thread writes them."""
        record = copy.copy(record)
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Never waits. Called under the handler's lock, so the counts need none of their own."""
        try:
            if report := self.unreported():
                self.queue.put_nowait(report)
                self._reported = self.dropped
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def unreported(self) -> logging.LogRecord | None:
        """A line about the records that were dropped since the last such line."""
        if self.dropped == self._reported:
            return None
        lost = self.dropped - self._reported
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, "log records dropped", None, None)
        vars(record)["fields"] = {"dropped": lost, "dropped_in_all": self.dropped}
        return record


class Listener(QueueListener):
    """Waits for room for the record that ends the thread: a full queue would refuse it, and raise."""

    def __init__(self, records: "queue.Queue[object]", writer: logging.Handler) -> None:
        super().__init__(records, writer)
        self._records = records

    def enqueue_sentinel(self) -> None:
        self._records.put(None)


class Log:
    """The running log of a process; `dropped` counts the records that found no room."""

    def __init__(self, settings: LogSettings, stream: TextIO) -> None:
        as_text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
        self._writer = logging.StreamHandler(stream)
        self._writer.setFormatter(TextFormatter(stream.isatty()) if as_text else JsonFormatter())
        self._handler = DroppingHandler(settings.queue_size)
        self._listener = Listener(self._handler.queue, self._writer)
        self._listener.start()
        self._stopped = False
        logging.basicConfig(level=settings.level, handlers=[self._handler], force=True)

    @property
    def dropped(self) -> int:
        """How many records were dropped since the start."""
        return self._handler.dropped

    def stop(self) -> None:
        """Write what waits, then stop the thread; later records are written directly. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().addHandler(self._writer)
        self._listener.stop()
        if report := self._handler.unreported():
            self._writer.handle(report)


def setup(settings: LogSettings, stream: TextIO | None = None) -> Log:
    """Send all logging of this process through the queue to `stream` (stderr); flushed at exit."""
    log = Log(settings, stream or sys.stderr)
    atexit.register(log.stop)
    return log
