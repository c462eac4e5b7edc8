"""Who has been silent for too long, as far as one has seen oneself.

The age of a sign of life says nothing after an outage: everybody's is old then. What counts is silence that
the observer has watched, without a gap in its own watching.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar

Sign = TypeVar("Sign")


class Silence(Generic[Sign]):
    """Watches signs of life, by name. Times of watching are seconds of a monotonic clock, passed in."""

    def __init__(self, lost_after: float, longest_gap: float) -> None:
        """Lost after `lost_after` seconds; a pause of `longest_gap` in the watching starts it anew."""
        self._lost_after, self._longest_gap = lost_after, longest_gap
        self._last_look = float("-inf")
        self._since: dict[str, tuple[Sign, float]] = {}

    def forget(self) -> None:
        """The watching was interrupted: all silence counts from the next look."""
        self._since.clear()

    def look(self, now: float, signs: Mapping[str, Sign]) -> list[tuple[str, Sign]]:
        """Take the last sign of life of each; gives those that are lost, with that sign."""
        if now - self._last_look > self._longest_gap:
            self.forget()
        self._last_look = now
        self._since = {
            name: known if (known := self._since.get(name)) and known[0] == sign else (sign, now)
            for name, sign in signs.items()
        }
        lost = [
            (name, sign) for name, (sign, since) in self._since.items() if now - since >= self._lost_after
        ]
        for name, _ in lost:
            del self._since[name]
        return lost
