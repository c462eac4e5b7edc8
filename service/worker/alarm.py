"""When to look for a task whose time comes: as close to its time as few claims allow.

A claim that got less than it asked for says when the next waiting task is due. Times that lie close together
are taken by one claim. Many workers of a fleet know the same time, and one of them gets the task: who came in
vain comes a little later the next time.
"""

import random

# What comes due within this time is company: one claim takes it.
COMPANY_SECONDS = 0.04
# Two of a fleet need not come at the same moment.
JITTER_SECONDS = 0.004
# How far apart the looks of one may come to lie that finds nothing, because others are quicker.
LONGEST_COMPANY_SECONDS = 0.08


class Alarm:
    """The time of the next look. Times are seconds of a monotonic clock, passed in."""

    def __init__(self) -> None:
        self.at = float("inf")
        self._rang = float("-inf")
        self._is_answered = True
        self._company = COMPANY_SECONDS

    def ring(self, now: float) -> None:
        """It is time: the claim that follows is for what is due now."""
        self._rang, self._is_answered, self.at = now, False, float("inf")

    def set(self, now: float, found: bool, due_in: float | None) -> None:
        """A claim was answered `now`, and found tasks or not; the next is due in `due_in` seconds, if any."""
        if not self._is_answered:
            self._is_answered = True
            self._company = COMPANY_SECONDS if found else min(self._company * 2, LONGEST_COMPANY_SECONDS)
        if due_in is None:
            self.at = float("inf")
            return
        pause = self._company * random.uniform(0.75, 1.0)
        self.at = max(now + due_in + random.uniform(0.0, JITTER_SECONDS), self._rang + pause)
