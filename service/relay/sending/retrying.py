"""When aiohttp-retry makes the next attempt of a delivery, and when it makes none.

Its wait is start x factor^attempt, counted from 1: half the first wait is the start. It retries no exception
that it was not told of, and leaks the connection of a failed response: what it is given here are answers
whose response is closed already (attempt.py).
"""

from typing import Any

from aiohttp_retry import ExponentialRetry

from service.relay.sending.answer import TOO_MANY, Answer
from service.sections import WebhookSettings

FACTOR = 2.0


class NoAnswer(Exception):
    """An attempt got no answer, and another may."""


class Stop(Exception):
    """This delivery is done here: it ended, or goes on from its row when its time has come."""


class Waits(ExponentialRetry):
    """The waits of a delivery that failed `failures` times before: 1 s, 2 s, ... or as long as it is asked.

    `attempts` are those that are left, at least one.
    """

    def __init__(self, settings: WebhookSettings, failures: int) -> None:
        longest = max(settings.retry_after_max_seconds, settings.first_delay_seconds)
        super().__init__(
            attempts=max(1, settings.attempts - failures),
            start_timeout=settings.first_delay_seconds / FACTOR,
            max_timeout=longest,
            factor=FACTOR,
            statuses={TOO_MANY},
            exceptions={NoAnswer},
        )
        self._failures, self._longest = failures, longest
        self._asked = 0.0

    def next_delay(self, attempt: int, answer: Answer) -> float | None:
        """Seconds until the next attempt after this one; None when there is none."""
        if answer.final or attempt >= self.attempts:
            return None
        self._asked = min(answer.retry_after, self._longest)
        return self.get_timeout(attempt)

    def get_timeout(self, attempt: int, response: Any = None) -> float:
        """What aiohttp-retry sleeps: the very delay that was recorded."""
        # 2 to the power of a thousand is no float any more; long before that the longest wait is reached.
        exponent = min(attempt + self._failures, 60)
        return max(super().get_timeout(exponent), self._asked)
