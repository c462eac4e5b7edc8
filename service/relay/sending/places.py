"""How many requests may be open: per endpoint, in all, and why a slow endpoint takes nothing from the others.

A request holds a place only while it is open. One that is open for longer than slow_after_seconds gives its
place among the `concurrency` back and counts only against most_open; and an endpoint whose last request was
slow does not hold such a place at all. So endpoints that hang cost the others one second once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from service.sections import WebhookSettings


class Place:
    """One open request; give_back() when it ends, as often as you like."""

    def __init__(self, places: "Places", endpoint: str) -> None:
        self.endpoint, self._places = endpoint, places
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(places.slow_after, self._became_slow)
        self.quick = endpoint not in places.slow
        self._taken = True

    def give_back(self) -> None:
        """The request has ended."""
        if not self._taken:
            return
        self._taken = False
        if not self._timer.cancelled() and self._timer.when() > asyncio.get_running_loop().time():
            self._places.slow.discard(self.endpoint)
        self._timer.cancel()
        self._places.given_back(self)

    def _became_slow(self) -> None:
        self._places.became_slow(self)


class Places:
    """All places of one sender; `moved` is called whenever there may be room that was not there before."""

    def __init__(self, settings: WebhookSettings, moved: Callable[[], None]) -> None:
        self._settings, self._moved = settings, moved
        self.slow_after = settings.slow_after_seconds
        self.slow: set[str] = set()
        self._open: Counter[str] = Counter()
        self._in_all = self._quick = 0
        self._waiting: dict[asyncio.Future[Place], str] = {}

    def free(self) -> int:
        """How many requests may begin now, to endpoints that have room."""
        return min(self._settings.concurrency - self._quick, self._settings.most_open - self._in_all)

    def busy(self) -> list[str]:
        """Endpoints that have no room."""
        return [name for name, number in self._open.items() if number >= self._settings.per_endpoint]

    def take(self, endpoint: str) -> Place | None:
        """A place, if there is one."""
        if self.free() <= 0 or self._open[endpoint] >= self._settings.per_endpoint:
            return None
        place = Place(self, endpoint)
        self._open[endpoint] += 1
        self._in_all += 1
        self._quick += place.quick
        return place

    async def wait(self, endpoint: str) -> Place:
        """A place as soon as there is one; those who wait come before those who ask with take()."""
        if place := self.take(endpoint):
            return place
        turn: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = endpoint
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                turn.result().give_back()
            raise
        finally:
            self._waiting.pop(turn, None)

    def became_slow(self, place: Place) -> None:
        """A request is open for long: it makes room for others."""
        self.slow.add(place.endpoint)
        if place.quick:
            place.quick = False
            self._quick -= 1
            self._pass_on()

    def given_back(self, place: Place) -> None:
        """A request has ended."""
        self._quick -= place.quick
        self._in_all -= 1
        self._open[place.endpoint] -= 1
        if not self._open[place.endpoint]:
            del self._open[place.endpoint]
        self._pass_on()

    def _pass_on(self) -> None:
        for turn, endpoint in list(self._waiting.items()):
            if self.free() <= 0:
                break
            if not turn.done() and (place := self.take(endpoint)):
                del self._waiting[turn]
                turn.set_result(place)
        self._moved()
