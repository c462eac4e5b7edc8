"""When a schedule is due: cron expressions in a time zone, as instants. Pure: the clock is an argument.

cronsim reads the five fields and walks through local times; here they become instants, by the rules of
Debian's cron, also where the clocks of a zone change:

- An expression whose minute and hour name fixed times (neither begins with `*`) means what people read on the
  wall. A time that does not exist that day fires once, at the next moment that does; one that exists twice
  fires once, the first time.
- An expression with `*` in minute or hour means a rhythm. It goes on through the change: every 20 minutes is
  every 20 minutes, a local hour that does not exist is left out, one that exists twice fires in both.

cronsim's own walk through a zone skips due times where clocks change by less than an hour; local times and
offsets are therefore put together here.
"""

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from service.errors import Invalid

STEP = timedelta(days=1)
SECOND = timedelta(seconds=1)
# How far back to look for the last due time, nearest first: a rhythm of minutes is not walked for years.
SPANS = [timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=367), timedelta(days=3000)]
EXAMPLE = "Five fields: minute, hour, day of month, month, day of week, as in 30 2 * * MON-FRI."


class Cron:
    """An expression in a zone. Raises Invalid, saying what is wrong, for what can never be due."""

    def __init__(self, expression: str, time_zone: str = "UTC") -> None:
        self.expression, self.zone = expression, zone_of(time_zone)
        fields = expression.split()
        if len(fields) != 5:
            raise Invalid(f"{expression!r} has {len(fields)} fields instead of five.", hint=EXAMPLE)
        self._is_fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
        try:
            next(CronSim(expression, datetime(2024, 1, 1)))
        except CronSimError as error:
            raise Invalid(f"{expression!r} is no cron expression: {error}.", hint=EXAMPLE) from None
        except StopIteration:
            raise Invalid(f"{expression!r} is never due.", hint=EXAMPLE) from None

    def after(self, moment: datetime) -> Iterator[datetime]:
        """The due times after a moment, in order, in UTC."""
        return self._fixed(moment) if self._is_fixed else self._rhythm(moment)

    def next(self, moment: datetime, count: int = 5) -> list[datetime]:
        """The next few due times after a moment."""
        return list(islice(self.after(moment), count))

    def last(self, after: datetime, until: datetime) -> datetime | None:
        """The latest due time in (after, until]; None when nothing fell due."""
        for span in SPANS:
            start = max(after, until - span)
            found = None
            for due in self.after(start):
                if due > until:
                    break
                found = due
            if found or start == after:
                return found
        return None

    def count(self, after: datetime, before: datetime, limit: int = 1000) -> int:
        """How many due times lie strictly between two moments; at most `limit`."""
        earlier = takewhile(lambda due: due < before, self.after(after))
        return sum(1 for _ in islice(earlier, limit))

    def _walk(self, local: datetime) -> Iterator[datetime]:
        """Local times that match, after `local`; both without a zone."""
        return iter(CronSim(self.expression, local.replace(tzinfo=None, fold=0)))

    def _fixed(self, moment: datetime) -> Iterator[datetime]:
        last = moment
        for local in self._walk(moment.astimezone(self.zone)):
            due = self._first_valid(local)
            # Clocks were set back, or two times of a gap became one: it has fired.
            if due > last:
                last = due
                yield due

    def _first_valid(self, local: datetime) -> datetime:
        """The instant of a local time, the first of two; where there is none, the end of the gap."""
        due = local.replace(tzinfo=self.zone).astimezone(UTC)
        if due.astimezone(self.zone).replace(tzinfo=None) == local:
            return due
        return self._change(due - STEP, due) or due

    def _rhythm(self, moment: datetime) -> Iterator[datetime]:
        """Stretch by stretch between two changes of the clocks; within one, local times run on evenly."""
        start, inclusive = moment.astimezone(UTC), False
        while True:
            offset = self._offset(start)
            local = start.replace(tzinfo=None) + offset
            change = None
            for match in self._walk(local - SECOND if inclusive else local):
                due = (match - offset).replace(tzinfo=UTC)
                change = self._change(start, due)
                if change:
                    break
                yield due
                start = due
            if change is None:
                return
            start, inclusive = change, True

    def _offset(self, instant: datetime) -> timedelta:
        return instant.astimezone(self.zone).utcoffset() or timedelta(0)

    def _change(self, start: datetime, end: datetime) -> datetime | None:
        """The first instant in (start, end] with another offset than start's, to the second."""
        offset = self._offset(start)
        low = start
        while low < end:
            high = min(low + STEP, end)
            if self._offset(high) != offset:
                break
            low = high
        else:
            return None
        while high - low > SECOND:
            middle = low + (high - low) / 2
            low, high = (middle, high) if self._offset(middle) == offset else (low, middle)
        return high.replace(microsecond=0)


@lru_cache(maxsize=256)
def cron_of(expression: str, time_zone: str) -> Cron:
    """A Cron that was made before, when it was."""
    return Cron(expression, time_zone)


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises Invalid, with the nearest names."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        nearest = difflib.get_close_matches(name, sorted(available_timezones()), n=3, cutoff=0.5)
        hint = f"Nearest known: {', '.join(nearest)}." if nearest else "As in Europe/Berlin, or UTC."
        raise Invalid(f"Unknown time zone {name!r}.", hint=hint) from None
