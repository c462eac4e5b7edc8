"""The service's own log: JSON lines (text on a terminal), written by a thread of their own.

Logging never blocks the event loop: a record goes into a bounded buffer, and when nobody reads stderr
fast enough it is dropped and counted instead of waited for. The count is reported as a line of its own
as soon as there is room again, and once more at exit. The thread formats what has gathered, and writes it
at once. Facts travel as fields:

    logger.info("task failed", extra={"fields": {"task_id": task_id, "attempt": 2}})

What happens thousands of times a second is told by `tell`, whose facts are put together in the thread.
"""

import atexit
import copy
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from time import time
from typing import Any, TextIO

from service.log_lines import Formatter, Line, json_line, text_line
from service.sections import LogSettings

# So long a line may wait for company: one write for many, and few turns of the thread.
GATHER_SECONDS = 0.01
# What every record has; anything else was given by `extra` and is a field.
ORDINARY = {*vars(logging.makeLogRecord({})), "message", "asctime", "fields"}
Facts = Callable[..., Mapping[str, object]]
# A record of logging, or what `tell` was given: time, level, logger, message, facts and their arguments.
Entry = logging.LogRecord | tuple[float, int, str, str, Facts, tuple[Any, ...]]


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The facts of a record: `extra={"fields": {...}}`, and other extras by their own names."""
    given = {name: value for name, value in vars(record).items() if name not in ORDINARY}
    fields = getattr(record, "fields", None)
    return given | dict(fields) if isinstance(fields, Mapping) else given


def line_of(entry: Entry) -> Line:
    """What is written of an entry."""
    if isinstance(entry, logging.LogRecord):
        facts = fields_of(entry)
        return Line(entry.created, entry.levelname, entry.name, entry.getMessage(), facts, entry.exc_text)
    at, level, name, message, put_together, arguments = entry
    return Line(at, logging.getLevelName(level), name, message, put_together(*arguments))


def tell(logger: logging.Logger, level: int, message: str, facts: Facts, *arguments: Any) -> None:
    """Log a line with the fields `facts(*arguments)`, asked for later in a thread: give what does not change.

    A handler of somebody else's sees it as an ordinary record.
    """
    if not logger.isEnabledFor(level):
        return
    log = Log.running
    if log is not None and log.is_alone and not logger.handlers:
        log.handler.keep((time(), level, logger.name, message, facts, arguments))
    else:
        logger.log(level, message, extra={"fields": facts(*arguments)})


class DroppingHandler(logging.Handler):
    """Keeps what waits to be written, up to `size` entries, and counts those for which it has no room."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dropped, self._reported, self._size = 0, 0, size
        self._waiting: deque[Entry] = deque()
        self._count = threading.Lock()
        self.due = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Render message and traceback now: their arguments may change before the thread writes them."""
        if record.args or record.exc_info:
            record = copy.copy(record)
            record.msg, record.args = record.getMessage(), None
            if record.exc_info:
                record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
                record.exc_info = None
        self.keep(record)

    def keep(self, entry: Entry) -> None:
        """Never waits."""
        if len(self._waiting) >= self._size:
            with self._count:
                self.dropped += 1
            return
        self._waiting.append(entry)
        if not self.due.is_set():
            self.due.set()

    def take(self) -> list[Entry]:
        """All that waits, and then a line about what was dropped since the last such line."""
        taken = [self._waiting.popleft() for _ in range(len(self._waiting))]
        lost = self.dropped - self._reported
        if lost:
            self._reported += lost
            record = logging.LogRecord(
                __name__, logging.WARNING, __file__, 0, "log records dropped", None, None
            )
            vars(record)["fields"] = {"dropped": lost, "dropped_in_all": self._reported}
            taken.append(record)
        return taken


class Writer(threading.Thread):
    """Formats and writes what the handler keeps, until `end`."""

    def __init__(self, handler: DroppingHandler, stream: TextIO, form: Formatter) -> None:
        super().__init__(name="log", daemon=True)
        self._handler, self._stream, self._form = handler, stream, form
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            self._handler.due.wait()
            # Clear, then take: what comes in between sets it again.
            self._handler.due.clear()
            self.write(self._handler.take())
            self._ended.wait(GATHER_SECONDS)
        self.write(self._handler.take())

    def end(self) -> None:
        """Write what waits, and return when that is done."""
        self._ended.set()
        self._handler.due.set()
        self.join()

    def write(self, entries: list[Entry]) -> None:
        """One write for all; an entry that cannot be told, or a stream that is gone, ends nothing."""
        if not entries:
            return
        try:
            self._stream.write("".join(map(self._told, entries)))
            self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads the log any more: there is nowhere to say so

    def _told(self, entry: Entry) -> str:
        try:
            return self._form(line_of(entry))
        except Exception as error:
            fields = {"error": f"{type(error).__name__} while the facts of a line were put together"}
            return self._form(Line(time(), "ERROR", __name__, "a line could not be told", fields))


class LateHandler(logging.Handler):
    """Writes at once what is logged after the stop."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        self._writer.write([record])


class Log:
    """The running log of a process; `dropped` counts the records that found no room."""

    running: "Log | None" = None

    def __init__(self, settings: LogSettings, stream: TextIO) -> None:
        as_text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
        form = partial(text_line, coloured=stream.isatty()) if as_text else json_line
        self.handler = DroppingHandler(settings.queue_size)
        self._writer = Writer(self.handler, stream, form)
        self._writer.start()
        self._stopped = False
        logging.basicConfig(level=settings.level, handlers=[self.handler], force=True)

    @property
    def is_alone(self) -> bool:
        """Whether nobody else hears what is logged."""
        return logging.root.handlers == [self.handler]

    @property
    def dropped(self) -> int:
        """How many records were dropped since the start."""
        return self.handler.dropped

    def stop(self) -> None:
        """Write what waits, then stop the thread; later records are written directly. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        logging.root.removeHandler(self.handler)
        logging.root.addHandler(LateHandler(self._writer))
        self._writer.end()


def setup(settings: LogSettings, stream: TextIO | None = None) -> Log:
    """Send all logging of this process through the buffer to `stream` (stderr); flushed at exit."""
    log = Log.running = Log(settings, stream or sys.stderr)
    atexit.register(log.stop)
    return log
