"""Lines, fields, and a log that drops instead of blocking."""

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from service import log
from service.sections import LogSettings

logger = logging.getLogger("service.something")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Blocked(io.StringIO):
    """A stream that nobody reads until `gate` is opened; `reached` says that a write waits at it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.gate = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.gate.wait(10)
        return super().write(text)


@pytest.fixture(autouse=True)
def own_root_logger() -> Iterator[None]:
    """`setup` takes over the root logger; give it back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


def settings(kind: str = "json", size: int = 100, level: str = "INFO") -> LogSettings:
    return LogSettings.model_validate({"level": level, "format": kind, "queue_size": size})


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_its_fields() -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    logger.info("task %s", "failed", extra={"fields": {"task_id": "t1", "attempt": 2}, "queue": "default"})
    running.stop()
    (line,) = lines(stream)
    assert str(line.pop("at")).endswith("Z")
    assert line == {
        "level": "info",
        "logger": "service.something",
        "message": "task failed",
        "task_id": "t1",
        "attempt": 2,
        "queue": "default",
    }


def test_a_field_does_not_hide_what_every_line_has() -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    logger.info("true", extra={"fields": {"message": "false", "level": "none"}})
    running.stop()
    assert lines(stream)[0]["message"] == "true"
    assert lines(stream)[0]["level"] == "info"


@pytest.mark.parametrize("kind", ["json", "text"])
def test_a_traceback_is_written(kind: str) -> None:
    stream = io.StringIO()
    running = log.setup(settings(kind), stream)
    try:
        raise LookupError("no such thing")
    except LookupError:
        logger.exception("it broke")
    running.stop()
    assert "LookupError: no such thing" in stream.getvalue()


def test_a_message_is_rendered_before_its_arguments_change() -> None:
    stream, shared = Blocked(), ["before"]
    running = log.setup(settings(), stream)
    logger.info("first")
    assert stream.reached.wait(10)
    logger.info("it was %s", shared)
    shared[0] = "after"
    stream.gate.set()
    running.stop()
    assert lines(stream)[1]["message"] == "it was ['before']"


def test_a_terminal_gets_coloured_text_and_a_file_gets_json() -> None:
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        running = log.setup(settings("auto"), stream)
        logger.warning("watch out", extra={"fields": {"lag_ms": 12}})
        running.stop()
    assert "\x1b[33mWARNING\x1b[0m something: watch out lag_ms=12" in terminal.getvalue()
    assert lines(file)[0]["lag_ms"] == 12


def test_records_below_the_level_are_not_written() -> None:
    stream = io.StringIO()
    running = log.setup(settings(level="WARNING"), stream)
    logger.info("quiet")
    running.stop()
    assert stream.getvalue() == ""


def test_a_full_queue_drops_counts_and_says_so() -> None:
    stream = Blocked()
    running = log.setup(settings(size=2), stream)
    logger.info("written")
    assert stream.reached.wait(10)
    for number in range(5):
        logger.info("number %d", number)
    assert running.dropped == 3
    stream.gate.set()
    running.stop()
    written = lines(stream)
    assert [line["message"] for line in written] == ["written", "number 0", "number 1", "log records dropped"]
    assert written[-1]["dropped"] == 3


def test_drops_are_reported_as_soon_as_there_is_room() -> None:
    handler = log.DroppingHandler(size=1)
    record = logging.makeLogRecord({"msg": "one"})
    handler.handle(record)
    handler.handle(record)
    assert handler.queue.get_nowait() is not None
    handler.handle(record)
    report = handler.queue.get_nowait()
    assert isinstance(report, logging.LogRecord)
    assert log.fields_of(report)["dropped"] == 1


def test_what_is_logged_after_the_stop_is_written_too() -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    running.stop()
    running.stop()
    logger.info("late")
    assert lines(stream)[0]["message"] == "late"
