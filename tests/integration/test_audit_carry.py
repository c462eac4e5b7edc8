"""Import of what is not a whole, true export: refused with the line, and nothing of it is there."""

import asyncio
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from service.audit import sources
from service.audit.importing import Interrupted, import_log
from service.audit.lines import Digest, RawEvent, parse_event, print_event
from service.audit.sources import LineSource
from service.errors import AnnalsError, Conflict, Invalid
from service.settings import load
from service.store.pool import Database
from tests.carrying import Clone, cloning, contents, export_lines, import_file, import_lines, is_empty
from tests.model.database import assert_verified, session

if TYPE_CHECKING:
    from tests.conftest import Server

LIFE = (
    """SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""",
    "SELECT start_worker('w-1', 'h', 1, '{default}', '{noop}', 4)",
    "SELECT enqueue_task('noop', params => '{\"n\": 1.50}') FROM generate_series(1, 3) n",
    "SELECT claim_tasks('w-1', '{default}', '{noop}', 2)",
    "SELECT complete_task('task-100000000', 2, '42'), fail_task('task-100000001', 2, 'no', retry => false)",
    "SELECT pause_queue('default', 'deploy'), resume_queue('default')",
)
PROGRESS = "SELECT progress_tasks('w-1', '{task-100000000}', '{2}', ARRAY[%s::real], ARRAY[%s], '{NULL}')"


@pytest.fixture(scope="module")
def clone(server: "Server", template: str) -> Clone:
    return cloning(server, template)


@pytest.fixture(scope="module")
def lived(clone: Clone) -> Iterator[str]:
    """A database with ten events: lines 2 to 11 of its export."""
    with clone() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        for statement in LIFE:
            connection.execute(statement.encode())
        yield dsn


@pytest.fixture(scope="module")
def whole(lived: str) -> list[bytes]:
    return asyncio.run(export_lines(lived))


@pytest.fixture(scope="module")
def empty(clone: Clone) -> Iterator[str]:
    """For all imports that leave nothing behind."""
    with clone() as dsn:
        yield dsn


def events_in(lines: Sequence[bytes]) -> list[RawEvent]:
    return [parse_event(line.decode())[0] for line in lines[1:-1]]


def forged(lines: Sequence[bytes], change: Callable[[list[RawEvent]], list[RawEvent]]) -> list[bytes]:
    """Other events under a digest that fits them: what a forger would write."""
    digest = Digest()
    events = [print_event(event, digest.add(event)) for event in change(events_in(lines))]
    return [lines[0], *(event.encode() for event in events), digest.footer().encode()]


def replaced(place: int, **columns: object) -> Callable[[list[RawEvent]], list[RawEvent]]:
    """One event with other values; 0 is the first one."""
    return lambda events: [
        event._replace(**columns) if n == place else event for n, event in enumerate(events)
    ]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda lines: [], r"line 1: this is not JSON"),
        (lambda lines: lines[1:], r"line 1: this is no export"),
        (lambda lines: lines[:-1], r"line 12: the file ends without its footer: it was cut off"),
        (lambda lines: [*lines[:6], lines[6][:50]], r"line 7: this is no event"),
        (swapped, r"line 4: the digest up to here is"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], r"line 5: position 3 is there twice"),
        (lambda lines: [*lines[:4], *lines[5:]], r"line 5: the digest up to here is"),
        (lambda lines: [*lines[:-2], lines[-1]], r"line 11: 9 events are there, and the footer says 10"),
        (lambda lines: [*lines, b""], r"line 13: something follows after the footer"),
        (lambda lines: [*lines[:5], b"", *lines[5:]], r"line 6: this is not JSON"),
        (
            lambda lines: [line.replace(b'"result": 42', b'"result": 43') for line in lines],
            r"line 8: the digest up to here is",
        ),
        (lambda lines: [line.replace(b"psql:", b"sqlp:") for line in lines], r"line 3: the digest"),
        (lambda lines: [line.replace(b'"n": ', b'"n":') for line in lines], r"line 3: the digest"),
        (lambda lines: [line.replace(b"deploy", b"\xff") for line in lines], r"line \d+: this is not UTF-8"),
        (lambda lines: [line.replace(b"}", b"}\r") for line in lines], r"line 2: this is no event"),
        (
            lambda lines: [*lines[:-1], b'{"events": 10, "digest": "00"}'],
            r"line 12: the digest of the events is",
        ),
        (
            lambda lines: [lines[0].replace(b'"last_position": 10', b'"last_position": 9'), *lines[1:]],
            r"line 11: position 10 lies outside",
        ),
    ],
)
def test_a_file_that_was_damaged_is_refused(
    empty: str, whole: list[bytes], change: Callable[[list[bytes]], list[bytes]], complaint: str
) -> None:
    assert len(whole) == 12
    with pytest.raises(Invalid, match=complaint):
        asyncio.run(import_lines(empty, change(whole)))
    with session(empty) as s:
        assert is_empty(s)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            lambda events: [*events[:1], *events[2:]],
            r"line 5: version 2 of task/task-100000000 has no version 1",
        ),
        (replaced(4, version=3), r"line 6: version 3 of task/task-100000000 has no version 2"),
        (replaced(4, version=1), r"line 6: duplicate key .*=\(task, task-100000000, 1\) already exists"),
        (replaced(1, data='{"n":1}'), r"line 3: the data is not written as PostgreSQL prints it"),
        (replaced(1, data='{"n": 1e2}'), r"line 3: the data is not written as PostgreSQL prints it"),
        (replaced(1, data='{"n": 1, "n": 1}'), r"line 3: the data is not written as PostgreSQL prints it"),
        (replaced(1, data='{"n": "\\u0000"}'), r"line 3: unsupported Unicode escape sequence"),
        (replaced(1, data='{"n": "\\ud800"}'), r"line 3: invalid input syntax for type json"),
        (replaced(1, data='{"n": NaN}'), r"line 3: invalid input syntax for type json"),
        (replaced(1, data='{"n": 1e999999}'), r"line 3: value overflows numeric format"),
        (replaced(1, data='{}, "n": {}'), r"line 3: invalid input syntax for type json"),
        (replaced(1, data='{"n": ' + "[" * 100_000 + "]" * 100_000 + "}"), r"line 3: stack depth limit"),
        (replaced(5, data="[]"), r"line 7: .*data_is_an_object"),
        (replaced(1, data='{"n": "' + "x" * 300_000 + '"}'), r"line 3: the data of task.enqueued is larger"),
        (replaced(3, data="{}"), r"line 5: null value in column"),
        (
            replaced(3, data='{"queue": "q", "priority": "x"}'),
            r"line 5: invalid input syntax for type smallint",
        ),
        (replaced(5, type="task.invented"), r"line 7: project_tasks was not taught the event types"),
        (replaced(5, stream_type="agent", stream_id="x"), r"line 7: "),
    ],
)
def test_a_forgery_that_the_digest_covers_is_refused_by_the_database(
    empty: str,
    whole: list[bytes],
    change: Callable[[list[RawEvent]], list[RawEvent]],
    complaint: str,
) -> None:
    with pytest.raises(Invalid, match=complaint):
        asyncio.run(import_lines(empty, forged(whole, change)))
    with session(empty) as s:
        assert is_empty(s)


def test_a_header_that_leaves_no_room_for_new_events_is_refused(empty: str, whole: list[bytes]) -> None:
    header = json.loads(whole[0]) | {"last_position": 2**48 - 1}
    with pytest.raises(Invalid, match="line 1: last_position"):
        asyncio.run(import_lines(empty, [json.dumps(header).encode(), *whole[1:]]))


def test_text_in_a_file_is_never_run(clone: Clone, whole: list[bytes]) -> None:
    evil = "'); DROP TABLE events; --"
    with clone() as dsn:
        asyncio.run(import_lines(dsn, forged(whole, replaced(8, actor=evil, data='{"reason": "$1 %s {}"}'))))
        with session(dsn) as s:
            assert s.value("SELECT actor FROM events WHERE position = 9") == evil


def test_a_range_without_the_beginning_of_its_streams_is_refused(
    lived: str, empty: str, whole: list[bytes]
) -> None:
    rest = asyncio.run(export_lines(lived, since=5))
    assert rest[1:-1] != whole[5:-1], "the digests begin anew"
    assert [line.split(b"digest")[0] for line in rest[1:-1]] == [
        line.split(b"digest")[0] for line in whole[5:-1]
    ]
    with pytest.raises(Invalid, match="line 2: version 2 of task/task-100000000 has no version 1") as caught:
        asyncio.run(import_lines(empty, rest))
    assert "--task" in caught.value.hint


def test_whole_streams_can_be_imported_alone(lived: str, clone: Clone) -> None:
    lines = asyncio.run(export_lines(lived, tasks=["task-100000001"]))
    assert {event.stream_id for event in events_in(lines)} == {"task-100000001"}
    with clone() as dsn:
        asyncio.run(import_lines(dsn, lines))
        with session(dsn) as s:
            assert_verified(s)
            assert s.value("SELECT stable_position()") == json.loads(lines[0])["last_position"]


def test_two_exports_of_the_same_part_are_the_same(lived: str) -> None:
    one, other = (asyncio.run(export_lines(lived, since=2, until=8)) for _ in range(2))
    assert one[1:] == other[1:] and len(one) == 9


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("SELECT pause_queue('default', 'x')", "the log is not empty: its first event is queue.paused"),
        ("INSERT INTO queues VALUES ('q', true, NULL, now())", "the log is empty, but queues is not"),
        ("SELECT nextval('events_position')", "positions up to 1 of this log have been handed out"),
    ],
)
def test_only_an_empty_log_is_filled(
    clone: Clone, whole: list[bytes], statement: str, complaint: str
) -> None:
    with clone() as dsn:
        with session(dsn) as s:
            s.rows(statement)
        with pytest.raises(Conflict, match=complaint) as caught:
            asyncio.run(import_lines(dsn, whole))
        assert "annals migrate" in caught.value.hint


def test_what_comes_after_an_import_goes_on_where_the_log_ended(clone: Clone, whole: list[bytes]) -> None:
    with clone() as dsn:
        asyncio.run(import_lines(dsn, whole))
        with session(dsn) as s:
            s.rows(LIFE[0])
            s.rows("SELECT enqueue_task('noop')")
            [event] = s.events(after=10)
            assert (event["position"], event["stream_id"]) == (11, "task-100000003")
            s.rows("SELECT start_worker('w-2', 'h', 1, '{default}', '{noop}', 4)")
            claimed = s.call("claim_tasks", worker_id="w-2", queues=["default"], task_types=["noop"], slots=4)
            # The one that failed waits for its next attempt.
            assert {row["task_id"] for row in claimed} == {"task-100000002", "task-100000003"}
            assert_verified(s)


def test_nobody_sees_half_an_import(
    clone: Clone, whole: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers go on and see an empty log; whoever appends waits, and comes after the import."""
    monkeypatch.setattr(sources, "WINDOW_EVENTS", 3)
    seen: list[tuple[int, int]] = []
    with clone() as dsn, session(dsn) as reader, session(dsn) as writer:
        writer.rows("SET lock_timeout = '50ms'")

        def look(_: int) -> None:
            seen.append(
                (reader.value("SELECT count(*) FROM events"), reader.value("SELECT stable_position()"))
            )
            with pytest.raises(psycopg.errors.LockNotAvailable):
                writer.rows("SELECT pause_queue('default', 'x')")

        asyncio.run(import_with(dsn, whole, asyncio.Event(), look))
        assert seen == [(0, 0)] * 4
        assert reader.value("SELECT stable_position()") == 10
        writer.rows("SELECT pause_queue('default', 'x')")
        assert [event["position"] for event in reader.events(after=10)] == [11]


async def import_with(
    dsn: str, lines: Sequence[bytes], stop: asyncio.Event, tell: Callable[[int], None]
) -> int:
    async with await Database.open(load({}).database, dsn) as db:
        return await import_log(db, source_of(lines), stop, tell)


def source_of(lines: Sequence[bytes]) -> LineSource:

    return LineSource(io.BytesIO(b"".join(line + b"\n" for line in lines)))


@pytest.mark.parametrize("windows", [1, 2, 3, 4])
def test_an_interrupted_import_leaves_nothing(
    empty: str, whole: list[bytes], monkeypatch: pytest.MonkeyPatch, windows: int
) -> None:
    """Also after the last window, when the sequences are set and only the commit is missing."""
    monkeypatch.setattr(sources, "WINDOW_EVENTS", 3)
    stop = asyncio.Event()

    def tell(done: int) -> None:
        if done == min(3 * windows, 10):
            stop.set()

    with pytest.raises(Interrupted):
        asyncio.run(import_with(empty, whole, stop, tell))
    with session(empty) as s:
        assert is_empty(s)


def test_a_broken_connection_leaves_nothing(
    empty: str, whole: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "WINDOW_EVENTS", 3)
    with session(empty) as s:

        def cut(_: int) -> None:
            s.rows(
                "SELECT pg_terminate_backend(l.pid) FROM pg_locks l"
                " WHERE l.relation = 'events'::regclass AND l.mode = 'ShareRowExclusiveLock'"
            )

        with pytest.raises(AnnalsError):
            asyncio.run(import_with(empty, whole, asyncio.Event(), cut))
        assert is_empty(s)


def test_an_empty_log_is_carried_too(clone: Clone) -> None:
    with clone() as dsn, clone() as other, session(other) as s:
        lines = asyncio.run(export_lines(dsn))
        assert len(lines) == 2
        assert asyncio.run(import_lines(other, lines)) == 0
        assert is_empty(s)


def test_a_role_that_does_not_own_the_tables_is_told_so(empty: str, whole: list[bytes]) -> None:
    with session(empty) as s:
        s.rows("GRANT annals_app TO CURRENT_USER")
    with pytest.raises(Conflict, match="may not fill the log: permission denied") as caught:
        asyncio.run(import_lines(f"{empty}{'&' if '?' in empty else '?'}role=annals_app", whole))
    assert "owns the tables" in caught.value.hint


def test_many_events_of_one_stream_fold_in_one_window(clone: Clone) -> None:
    with clone() as dsn, session(dsn) as s:
        for statement in LIFE[:4]:
            s.rows(statement)
        for n in range(50):
            s.rows(PROGRESS, n, f"s-{n}")
        kept = contents(s)
        lines = asyncio.run(export_lines(dsn))
        with clone() as other, session(other) as imported:
            asyncio.run(import_lines(other, lines))
            assert contents(imported) == kept
            assert kept["background_tasks"]["task-100000000"]["step"] == "s-49"


def test_a_row_is_written_once_however_often_it_changed(clone: Clone, whole: list[bytes]) -> None:
    """No version of a row stays behind that vacuum would have to take away."""
    with clone() as dsn, session(dsn) as s:
        asyncio.run(import_lines(dsn, whole))
        assert s.rows("SELECT ctid::text FROM background_tasks ORDER BY ctid") == [
            {"ctid": f"(0,{n})"} for n in (1, 2, 3)
        ]
        assert_verified(s)


def test_a_packed_file_that_was_cut_off_is_refused(empty: str, whole: list[bytes], tmp_path: Path) -> None:

    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(whole))[:-40])
    with pytest.raises(Invalid, match=r"line \d+: the file cannot be read on"):
        asyncio.run(import_file(empty, path))
