"""The family of errors that every package raises and the edges (API, command line) render.

An error carries a `code` a program can match, a `hint` that says what to do next, the HTTP status it
means and the exit code of a command it ends. SQL functions speak through SQLSTATEs of our own
(`AN4xx`), which `from_sqlstate` turns into these classes; they are raised only where nothing was written.
"""

from typing import ClassVar


class AnnalsError(Exception):
    """Something a caller can understand and act on; its message is safe to show to a client."""

    code: ClassVar[str] = "failed"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Invalid(AnnalsError):
    """An argument is wrong (AN422)."""

    code, status, exit_code = "invalid", 422, 2


class SettingsError(Invalid):
    """The configuration names something unknown or has a value that does not fit."""

    code = "invalid_settings"


class TooBig(Invalid):
    """A payload is over the limit (AN413)."""

    code, status = "too_big", 413


class NotFound(AnnalsError):
    """There is no such thing (AN404)."""

    code, status, exit_code = "not_found", 404, 3


class Gone(NotFound):
    """There was such a thing; retention removed it, and the log still tells its life (AN4GO)."""

    code, status = "gone", 410


class Conflict(AnnalsError):
    """The thing is in a state, or at a version, that forbids this (AN409)."""

    code, status, exit_code = "conflict", 409, 4


class LeaseLost(Conflict):
    """The task was taken from this worker; its report came too late (AN410)."""

    code = "lease_lost"


class DatabaseUnavailable(AnnalsError):
    """PostgreSQL cannot be reached, is shutting down or refuses more connections; try again later."""

    code, status, exit_code = "database_unavailable", 503, 5


OWN_STATES: dict[str, type[AnnalsError]] = {
    "AN404": NotFound,
    "AN409": Conflict,
    "AN410": LeaseLost,
    "AN4GO": Gone,
    "AN413": TooBig,
    "AN422": Invalid,
}
# 08: the connection broke; 57P: the server is stopping or starting; 53300: no connection slot is free;
# 25006: the server we reached is a standby, as for a moment after a failover; 55000, 3D000, 28: it refuses
# the database or the login.
UNAVAILABLE_STATES = ("08", "57P", "53300", "25006", "55000", "3D000", "28")


# A unique key met by two writers at once; one that comes later is told so by the write function itself.
RACED = "23505"


def from_sqlstate(sqlstate: str | None, message: str, hint: str | None = None) -> AnnalsError | None:
    """The error of ours that an SQLSTATE means; None for a state that is nobody's to explain (a bug)."""
    state = sqlstate or ""
    if state == RACED:
        return Conflict("It exists already.", hint=message)
    if state in OWN_STATES:
        return OWN_STATES[state](message, hint=hint or "")
    if state.startswith(UNAVAILABLE_STATES):
        return DatabaseUnavailable("The database is not available.", hint=hint or message)
    return None
