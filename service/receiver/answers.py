"""How a receiver answers, and how it fails when it is told to."""

import random
from dataclasses import dataclass

GOOD, REFUSED, FAILED = 204, 401, 503


@dataclass(frozen=True, slots=True)
class Answers:
    """What is answered to an arrival with a good signature.

    `always`: this status, whatever comes. `first`: `failure` to the first so many attempts of each delivery;
    `rate`: `failure` to this share of arrivals. `delay_seconds` before any answer; `hang`: never one.
    """

    always: int | None = None
    first: int = 0
    rate: float = 0.0
    failure: int = FAILED
    delay_seconds: float = 0.0
    hang: bool = False

    def to(self, times_before: int) -> int | None:
        """The status for a delivery that came so often before; None for no answer at all."""
        if self.hang:
            return None
        if self.always is not None:
            return self.always
        fails = times_before < self.first or random.random() < self.rate
        return self.failure if fails else GOOD
