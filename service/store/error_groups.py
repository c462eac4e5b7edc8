"""Failures in groups: which there are, and the last occurrences of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from service.errors import Invalid
from service.model.error_group import TREND_PARTS, ErrorGroup, GroupState, Occurrence
from service.store.paging import Page, decode_cursor, encode_cursor
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__)
SEEN: tuple[GroupState, ...] = ("new", "ongoing")
# What people mean by now: the window of a list, and what a group's state is told by when none is given.
RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ErrorFilter:
    """Which groups to list; None does not restrict.

    The window lies after `since` and goes up to `until`: occurrences are counted in it, and a group is new
    when it was first seen in it. `text` is looked for, in any case, in id, error type, message and frame.
    """

    since: datetime | None = None
    until: datetime | None = None
    task_types: Sequence[str] | None = None
    states: Sequence[GroupState] = SEEN
    text: str | None = None
    by_count: bool = False


class Window(NamedTuple):
    """A stretch of the log, (after, until], and the times that bound it; `start` is None in an empty log."""

    after: int
    until: int | None
    start: datetime | None
    end: datetime


class ErrorStore:
    """Over a pool or one session.

    Every method may raise DatabaseUnavailable, and Invalid for a window that begins after its end.
    """

    def __init__(self, db: Querying) -> None:
        self._db = db

    async def list(
        self, only: ErrorFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[ErrorGroup]:
        """Groups, the last seen first, or the most frequent. Raises Invalid for a bad cursor."""
        rank, place = decode_cursor(cursor, int, str) if cursor else (None, None)
        window = await self._window(only.since, only.until)
        rows = await self._db.fetch_planned(
            SQL.errors,
            *(window.after, window.until, None, only.task_types, only.states, only.text, only.by_count),
            *(rank, place, limit + 1),
        )
        groups = [ErrorGroup(*row) for row in rows[:limit]]
        following = None
        if len(rows) > limit:
            last = groups[-1]
            following = encode_cursor(
                last.occurrences if only.by_count else last.last_position, last.fingerprint
            )
        return Page(await self._with_trends(groups, window), following)

    async def get(
        self, fingerprint: str, since: datetime | None = None, until: datetime | None = None
    ) -> ErrorGroup | None:
        """One group, counted over everything that is kept unless a window is given.

        Its state is then told by the last 24 hours: over everything, each group would be new.
        """
        window = await self._window(since, until)
        rows = await self._db.fetch_planned(
            SQL.errors, window.after, window.until, fingerprint, None, None, None, False, None, None, 1
        )
        groups = [ErrorGroup(*row) for row in rows]
        if since is None:
            groups = [replace(group, state=_state(group, window.end - RECENT)) for group in groups]
        found = await self._with_trends(groups, window)
        return found[0] if found else None

    async def occurrences(
        self, fingerprint: str, since: datetime | None = None, until: datetime | None = None, limit: int = 20
    ) -> Sequence[Occurrence]:
        """The last ones of the window, newest first."""
        window = await self._window(since, until)
        rows = await self._db.fetch(SQL.error_occurrences, fingerprint, window.after, window.until, limit)
        return [Occurrence(*row) for row in rows]

    async def _window(self, since: datetime | None, until: datetime | None) -> Window:
        if since and until and since > until:
            raise Invalid(
                f"The time asked for begins at {since.isoformat()}, after its end at {until.isoformat()}.",
                hint="Give both since and until; since is 24 hours ago when a list is asked without it.",
            )
        row = await self._db.fetchrow(SQL.error_window, since, until)
        assert row is not None, "the statement has no FROM"
        return Window(*row)

    async def _with_trends(self, groups: Sequence[ErrorGroup], window: Window) -> Sequence[ErrorGroup]:
        """A statement of its own: only the groups of one page need it."""
        if not groups or window.start is None:
            return groups
        counts = {group.fingerprint: [0] * TREND_PARTS for group in groups}
        rows = await self._db.fetch(SQL.error_trend, list(counts), *window, TREND_PARTS)
        for fingerprint, part, occurrences in rows:
            counts[fingerprint][part - 1] = occurrences
        return [replace(group, trend=tuple(counts[group.fingerprint])) for group in groups]


def _state(group: ErrorGroup, since: datetime) -> GroupState:
    if group.last_seen_at <= since:
        return "quiet"
    return "new" if group.first_seen_at > since else "ongoing"
