"""When an endpoint that fails for long is left alone, and when it is tried again.

Counted in the memory of the relay that leads: after a take-over the failures in a row count from one, and the
first probe of what is paused is due after probe_seconds. That an endpoint is paused is a row and an event.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from service.sections import WebhookSettings


@dataclass
class Streak:
    """Failed attempts in a row, and when the first of them was."""

    since: float
    failures: int = 0


@dataclass
class Probing:
    """A paused endpoint: when its next probe is due, and how long after that the one after."""

    due: float
    pause: float


class Breaker:
    """Times are seconds of the loop's clock."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._streaks: dict[str, Streak] = {}
        self._paused: dict[str, Probing] = {}
        self._under_way: set[str] = set()

    def failed(self, endpoint: str, now: float) -> str | None:
        """Count a failed attempt; gives the reason when the endpoint is to be paused now."""
        streak = self._streaks.setdefault(endpoint, Streak(now))
        streak.failures += 1
        lasted = now - streak.since
        limits = self._settings
        if streak.failures < limits.pause_after_failures or lasted < limits.pause_after_seconds:
            return None
        return f"{streak.failures} failed attempts in a row in {lasted:.0f} s"

    def delivered(self, endpoint: str) -> None:
        """An attempt succeeded."""
        self._streaks.pop(endpoint, None)

    def probe_failed(self, endpoint: str, now: float) -> float:
        """Put the next probe off, twice as far each time; gives the seconds until it is due."""
        probing = self._paused.setdefault(endpoint, self._first_probe(now))
        pause = probing.pause
        probing.due = now + pause
        probing.pause = self._doubled(pause)
        return pause

    def now_paused(self, endpoints: Iterable[str], now: float) -> None:
        """Take over what is paused, whoever paused it; what is not any more begins anew."""
        before, self._paused = self._paused, {}
        for endpoint in endpoints:
            self._streaks.pop(endpoint, None)
            self._paused[endpoint] = before.get(endpoint) or self._first_probe(now)

    def to_probe(self, now: float) -> list[str]:
        """Paused endpoints whose probe is due, and not under way: the first delivery there is may be sent."""
        due = (endpoint for endpoint, probing in self._paused.items() if probing.due <= now)
        return [endpoint for endpoint in due if endpoint not in self._under_way]

    def probe_begins(self, endpoint: str) -> None:
        """No other probe goes there until this one has ended."""
        self._under_way.add(endpoint)

    def probe_ends(self, endpoint: str) -> None:
        """What came of it is known."""
        self._under_way.discard(endpoint)

    def next_probe_at(self, now: float) -> float | None:
        """When the next probe becomes due; None when there is none to come."""
        return min((probing.due for probing in self._paused.values() if probing.due > now), default=None)

    def _first_probe(self, now: float) -> Probing:
        pause = self._settings.probe_seconds
        return Probing(now + pause, self._doubled(pause))

    def _doubled(self, pause: float) -> float:
        return min(pause * 2, max(self._settings.probe_max_seconds, self._settings.probe_seconds))
