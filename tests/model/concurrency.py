"""Two sessions at once, step by step: start a call in a thread, know that it waits for a lock, let it go."""

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.model.database import Session

PATIENCE_SECONDS = 60.0


class Call:
    """A call of one session in a thread of its own. `watch` is a session that may look meanwhile."""

    def __init__(self, session: Session, watch: Session, work: Callable[[Session], Any]) -> None:
        self._watch, self._pid = watch, session.connection.info.backend_pid
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(session, work), daemon=True)
        self._thread.start()

    def _run(self, session: Session, work: Callable[[Session], Any]) -> None:
        try:
            self._result = work(session)
        except BaseException as error:
            self._error = error

    def settle(self) -> bool:
        """Wait until the call is over or waits for a lock; whether it is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not self._thread.is_alive():
                return True
            if self._watch.value("SELECT cardinality(pg_blocking_pids(%s))", self._pid):
                return False
            time.sleep(0.002)  # a lock wait rings no bell: it can only be looked for
        raise TimeoutError("the call neither ended nor waited for a lock")

    def result(self) -> Any:
        """What it returned; raises what it raised."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the call is still waiting"
        if self._error:
            raise self._error
        return self._result


def without(session: Session, function: str, guard: str, instead: str = "") -> None:
    """Take a guard out of a function of this database. Fails when the guard is not there (any more)."""
    definition = session.value(
        "SELECT pg_get_functiondef(oid) FROM pg_proc"
        " WHERE proname = %s AND pronamespace = 'public'::regnamespace",
        function,
    )
    assert guard in definition, f"{function} has no guard {guard!r}: this witness has lost its subject"
    session.rows(definition.replace(guard, instead))


def settle_at_once(s: Session) -> None:
    """Let a history that is rolled back be settled as it goes on, as retention and looks at the past ask."""
    without(s, "stable_position", "coalesce(_open, _head)", "_head")
