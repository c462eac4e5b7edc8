"""What was found due and has no place yet: some of each endpoint, so that endpoints take turns.

Without it every place that becomes free would cost a look into the database, and whoever has been due the
longest would get them all: a long backlog of a few endpoints would hold up the others.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence

from service.relay.sending.places import Place, Places
from service.store.deliveries import DueDelivery


class Ready:
    """Deliveries by endpoint, each in order of its numbers."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, deque[DueDelivery]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._rows

    def endpoints(self) -> list[str]:
        """Those of which something waits here."""
        return list(self._rows)

    def put(self, rows: Sequence[DueDelivery]) -> None:
        """Add what was found of endpoints of which nothing was here; the first one has the first turn."""
        for row in rows:
            self._rows.setdefault(row.endpoint, deque())
        for row in sorted(rows, key=lambda row: row.sequence):
            self._rows[row.endpoint].append(row)

    def drop(self, endpoint: str) -> None:
        """Its status has changed: ask again."""
        self._rows.pop(endpoint, None)

    def clear(self) -> None:
        """Anything may have changed."""
        self._rows.clear()

    def take(self, places: Places) -> Iterator[tuple[DueDelivery, Place]]:
        """What has a place now, one of each endpoint after the other."""
        moved = True
        while moved:
            moved = False
            for endpoint in self.endpoints():
                if place := places.take(endpoint):
                    moved = True
                    yield self._next(endpoint), place

    def _next(self, endpoint: str) -> DueDelivery:
        rows = self._rows[endpoint]
        row = rows.popleft()
        self._rows.move_to_end(endpoint)
        if not rows:
            del self._rows[endpoint]
        return row
