"""What a handler may raise to say how its attempt ended, when returning or failing does not say it all.

raise Fail("the invoice was deleted")      no further attempt
raise Retry("upstream is busy", after=20)  a failure, next attempt in 20 s instead of by the backoff
raise Snooze(seconds=60)                   not yet: again in a minute, and no failure is counted
"""

from datetime import datetime

from service.errors import Invalid


class Fail(Exception):
    """Fail the task for good: attempts that are left are not used. `reason` is a word for programs."""

    def __init__(self, message: str, *, reason: str = "permanent") -> None:
        super().__init__(message)
        self.reason = reason


class Retry(Exception):
    """Fail this attempt and say when the next one is due; it counts against max_attempts as any failure."""

    def __init__(self, message: str = "the handler asked for a retry", *, after: float | None = None) -> None:
        """`after` in seconds; without it the task's own backoff decides. Raises Invalid when negative."""
        if after is not None and after < 0:
            raise Invalid(f"Retry(after={after}) lies in the past.", hint="Give seconds from now.")
        super().__init__(message)
        self.after = after


class Snooze(Exception):
    """Give the task back until later, without counting a failure."""

    def __init__(self, *, seconds: float | None = None, until: datetime | None = None) -> None:
        """Either `seconds` from now, or `until` (with an offset). Raises Invalid otherwise."""
        if (seconds is None) == (until is None):
            raise Invalid("Snooze takes either seconds or until.", hint="As in Snooze(seconds=60)")
        if seconds is not None and seconds < 0:
            raise Invalid(f"Snooze(seconds={seconds}) lies in the past.", hint="Give seconds from now.")
        if until is not None and until.tzinfo is None:
            raise Invalid("Snooze(until=...) has no offset.", hint="Use datetime.now(UTC) + timedelta(...).")
        super().__init__("snoozed")
        self.seconds = seconds
        self.until = until
