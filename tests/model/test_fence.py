"""The append fence under load: many appenders that roll back and save, and a follower that misses nothing.

ANNALS_MODEL=long runs each for 12 s, as when the fence was first tried; a second or two finds a hole too.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

import pytest
from psycopg import Rollback

from tests.model.database import Session, session

SECONDS = 12.0 if os.environ.get("ANNALS_MODEL") == "long" else 1.5
APPENDERS = 24
APPEND = """
    SELECT a.position FROM append_events(ARRAY(
        SELECT ROW('thing', %s, 'thing.seen', '{}', NULL, NULL, NULL, NULL)::event_draft
        FROM generate_series(1, %s))) a
"""
# The lower bound that this transaction's fence names, from its own advisory lock.
KEY = """
    SELECT min((l.classid::bigint & 65535) << 32 | l.objid::bigint) FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.pid = pg_backend_pid()
      AND l.classid::bigint >> 16 = fence_tag()
"""


@dataclass
class Appender:
    """One client: transactions of a few appends; some roll back, some have a savepoint that does."""

    session: Session
    name: str
    stop: threading.Event
    fenced: bool
    committed: list[int] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        chance = random.Random(self.name)
        try:
            while not self.stop.is_set():
                self.committed += self.transaction(chance)
        except BaseException as error:
            self.errors.append(error)

    def transaction(self, chance: random.Random) -> list[int]:
        """Positions that were committed."""
        s, positions = self.session, []
        with suppress(Rollback), s.connection.transaction():
            if chance.random() < 0.3:
                with s.connection.transaction(force_rollback=True):
                    self.append(chance)
            for _ in range(chance.randint(1, 3)):
                positions += self.append(chance)
                time.sleep(
                    chance.random() * 0.01
                )  # positions commit out of order only when transactions last
            if chance.random() < 0.2:
                raise Rollback
            return positions
        return []

    def append(self, chance: random.Random) -> list[int]:
        rows = self.session.rows(APPEND, self.name, chance.randint(1, 3))
        positions = [row["position"] for row in rows]
        assert not self.fenced or self.session.value(KEY) < positions[0], (
            "the fence stands behind its own first position"
        )
        return positions


class Follower:
    """Remembers the last position it saw, and nothing else."""

    def __init__(self, s: Session) -> None:
        self.session, self.seen = s, []

    def follow(self) -> None:
        last = self.seen[-1] if self.seen else 0
        self.seen += [
            row["position"] for row in self.session.rows("SELECT position FROM events_after(%s, 5000)", last)
        ]


@pytest.fixture
def follower(database: str) -> Iterator[Follower]:
    with session(database) as s:
        yield Follower(s)


def lost_under_load(dsn: str, follower: Follower, fenced: bool = True) -> list[int]:
    """Committed positions that the follower never saw, while APPENDERS clients appended for SECONDS."""
    stop = threading.Event()
    with ExitStack() as stack:
        appenders = [
            Appender(stack.enter_context(session(dsn)), f"t-{n}", stop, fenced) for n in range(APPENDERS)
        ]
        threads = [threading.Thread(target=appender.run) for appender in appenders]
        for thread in threads:
            thread.start()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            follower.follow()
        stop.set()
        for thread in threads:
            thread.join()
    for appender in appenders:
        assert not appender.errors, appender.errors
    before = -1
    while len(follower.seen) > before:
        before = len(follower.seen)
        follower.follow()
    committed = {position for appender in appenders for position in appender.committed}
    assert len(committed) > APPENDERS, "hardly anything was appended"
    assert follower.seen == sorted(follower.seen)
    return sorted(committed - set(follower.seen))


def test_a_follower_loses_nothing_under_24_appenders(database: str, follower: Follower) -> None:
    assert lost_under_load(database, follower) == []


def test_witness_without_the_fence_a_follower_loses_events(database: str, follower: Follower) -> None:
    follower.session.rows("DROP TRIGGER fence_append ON events")
    assert lost_under_load(database, follower, fenced=False) != []


def test_nothing_is_lost_while_one_transaction_stays_open(database: str, follower: Follower) -> None:
    with session(database) as holder:
        with holder.connection.transaction():
            held = holder.value(APPEND, "held", 1)
            late = lost_under_load(database, follower)
            assert late and max(follower.seen, default=0) < held, "followers wait for the open append"
        follower.follow()
        assert held in follower.seen
        while late and late[-1] > follower.seen[-1]:
            follower.follow()
        assert set(late) <= set(follower.seen)


def test_an_unrelated_long_transaction_delays_nobody(database: str, follower: Follower) -> None:
    with session(database) as other, session(database) as appender:
        other.rows("CREATE TABLE unrelated (n integer)")
        with other.connection.transaction():
            other.rows("INSERT INTO unrelated VALUES (1)")
            assert lost_under_load(database, follower) == []
            position = appender.value(APPEND, "after", 1)
            follower.follow()
            assert follower.seen[-1] == position


def test_a_setting_of_the_session_does_not_disable_the_fence(database: str, follower: Follower) -> None:
    with session(database) as one, session(database) as other:
        one.rows("SET annals.fence = '1'")
        with one.connection.transaction():
            one.rows("SELECT set_config('annals.fence', pg_current_xact_id()::text, false)")
        with one.connection.transaction():
            first = one.value(APPEND, "one", 1)
            other.value(APPEND, "other", 1)
            follower.follow()
            assert follower.seen == []
        follower.follow()
        assert follower.seen == [first, first + 1]


def test_a_savepoint_rolled_back_takes_its_fence_along_and_no_other(
    database: str, follower: Follower
) -> None:
    with session(database) as one, session(database) as other:
        with one.connection.transaction():
            with one.connection.transaction(force_rollback=True):
                one.value(APPEND, "one", 1)
            other_position = other.value(APPEND, "other", 1)
            follower.follow()
            assert follower.seen == [other_position], "an append that is gone holds nobody"
            late = one.value(APPEND, "one", 1)
            other.value(APPEND, "other", 1)
            follower.follow()
            assert follower.seen == [other_position]
        follower.follow()
        assert late in follower.seen
