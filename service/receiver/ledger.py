"""What a receiver remembers of what came: deliveries by id, and numbers by endpoint, in ranges."""

from dataclasses import dataclass, field
from typing import Literal

News = Literal["new", "retry", "duplicate"]
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Noted:
    """What an arrival was: news of its delivery, and what its number tells of the order."""

    news: News | None
    order: str


@dataclass(slots=True)
class Numbers:
    """The webhook-sequence of one endpoint. `missing` are ranges (first, last), ascending."""

    first: int
    highest: int
    missing: list[Range] = field(default_factory=list)

    def note(self, number: int) -> str:
        """Take a number; gives what is worth saying of it, nothing for the one that was to come."""
        if number > self.highest:
            gap = (self.highest + 1, number - 1)
            self.highest = number
            if gap[0] > gap[1]:
                return ""
            self.missing.append(gap)
            return f"gap: {spell(gap)} not here yet"
        for index, (low, high) in enumerate(self.missing):
            if low <= number <= high:
                self.missing[index : index + 1] = [
                    each for each in ((low, number - 1), (number + 1, high)) if each[0] <= each[1]
                ]
                return "late"
        return "from before this began" if number < self.first else "number of another delivery"


class Ledger:
    """Everything that came since it was made. Of ids it keeps all: it is for trying out, not for months."""

    def __init__(self) -> None:
        self.numbers: dict[str, Numbers] = {}
        self._times: dict[str, int] = {}
        self._accepted: set[str] = set()

    def times(self, delivery_id: str) -> int:
        """How often a delivery came so far."""
        return self._times.get(delivery_id, 0)

    def note(self, endpoint: str, delivery_id: str, number: int | None, accepted: bool) -> Noted:
        """Take one arrival; `accepted` tells whether it is answered with 2xx."""
        known = self.times(delivery_id)
        news: News = "new" if not known else "duplicate" if delivery_id in self._accepted else "retry"
        self._times[delivery_id] = known + 1
        if accepted:
            self._accepted.add(delivery_id)
        return Noted(news, self._order(endpoint, number) if not known and number is not None else "")

    @property
    def deliveries(self) -> int:
        """How many different deliveries came."""
        return len(self._times)

    def missing(self) -> dict[str, list[Range]]:
        """Of each endpoint with a gap, the ranges that never came."""
        return {endpoint: numbers.missing for endpoint, numbers in self.numbers.items() if numbers.missing}

    def _order(self, endpoint: str, number: int) -> str:
        if endpoint not in self.numbers:
            self.numbers[endpoint] = Numbers(number, number)
            return ""
        return self.numbers[endpoint].note(number)


def spell(numbers: Range) -> str:
    """A range as people write it."""
    return f"{numbers[0]}" if numbers[0] == numbers[1] else f"{numbers[0]}-{numbers[1]}"
