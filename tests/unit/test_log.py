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
    written, report = handler.take()
    assert log.line_of(written).message == "one"
    assert log.line_of(report).fields["dropped"] == 1
    handler.handle(record)
    assert len(handler.take()) == 1, "told once"


def test_what_is_logged_after_the_stop_is_written_too() -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    running.stop()
    running.stop()
    logger.info("late")
    assert lines(stream)[0]["message"] == "late"


def facts(task_id: str, number: float) -> dict[str, object]:
    return {"task_id": task_id, "number": number, "message": "hidden"}


def test_what_is_told_looks_like_what_is_logged() -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    log.tell(logger, logging.INFO, "Task started", facts, 'a"b\n', 1.5)
    log.tell(logger, logging.DEBUG, "Task started", facts, "quiet", 0)
    logger.info("Task started", extra={"fields": facts('a"b\n', 1.5)})
    running.stop()
    told, logged = lines(stream)
    assert str(told.pop("at")) <= str(logged.pop("at"))
    assert told == logged
    assert told["task_id"] == 'a"b\n' and told["number"] == 1.5 and told["message"] == "Task started"


def test_what_is_told_reaches_the_handlers_of_others(caplog: pytest.LogCaptureFixture) -> None:
    running = log.setup(settings(), io.StringIO())
    logging.getLogger().addHandler(caplog.handler)
    log.tell(logger, logging.INFO, "Task started", facts, "t1", 1)
    running.stop()
    assert [(record.getMessage(), vars(record)["fields"]["task_id"]) for record in caplog.records] == [
        ("Task started", "t1")
    ]


def test_facts_that_fail_cost_their_line_and_no_other() -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    log.tell(logger, logging.INFO, "Task started", facts, "too few")
    logger.info("next")
    running.stop()
    assert [line["message"] for line in lines(stream)] == ["a line could not be told", "next"]


def test_what_gathers_is_written_at_once() -> None:
    stream = Blocked()
    running = log.setup(settings(size=1000), stream)
    logger.info("first")
    assert stream.reached.wait(10)
    for number in range(500):
        log.tell(logger, logging.INFO, "Task started", facts, "t", number)
    writes = 0
    write = stream.write

    def counted(text: str) -> int:
        nonlocal writes
        writes += 1
        return write(text)

    stream.write = counted  # type: ignore[method-assign]
    stream.gate.set()
    running.stop()
    assert len(lines(stream)) == 501
    assert writes <= 2


ODD = [float("nan"), float("inf"), None, True, {"a": [1]}, 2**70, "\ud83d\ude00 \x01", b"x"]


@pytest.mark.parametrize("value", ODD)
def test_every_value_makes_a_line_of_json(value: object) -> None:
    stream = io.StringIO()
    running = log.setup(settings(), stream)
    logger.info("odd", extra={"fields": {"value": value}})
    running.stop()
    (line,) = lines(stream)
    text = not isinstance(value, bool | int | dict | str | None)
    assert line["value"] == (str(value) if text else value)
