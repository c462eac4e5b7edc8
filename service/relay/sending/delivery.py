"""One delivery in the memory of the relay that leads: aiohttp-retry makes its attempts, through `request`.

Everything it does stands in its row first: killed at any step, or sent away while it waits, it goes on from
there with the attempts that are left.
"""

import asyncio
import contextlib
import logging
import re
import time
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from aiohttp_retry import RetryClient

from service.errors import DatabaseUnavailable, Invalid
from service.probe import Probe
from service.relay.sending.answer import Answer
from service.relay.sending.attempt import attempt
from service.relay.sending.breaker import Breaker
from service.relay.sending.places import Place, Places
from service.relay.sending.ready import Ready
from service.relay.sending.recording import Recorder
from service.relay.sending.retrying import NoAnswer, Stop, Waits
from service.relay.sending.secrets import Secrets
from service.relay.sending.signature import signed_headers
from service.sections import WebhookSettings
from service.store.deliveries import DeliveryStore, DueDelivery
from service.store.pool import Querying
from service.store.queries import load
from service.urls import check_form

logger = logging.getLogger(__name__)
SQL = load(__package__)
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Step:
    """Where a delivery is: taken, request, answered, recording, recorded, then delivered, waiting or left.

    A delivery that left is not in memory any more; it ended, or goes on from its row.
    """

    name: str
    delivery_id: str
    attempt: int


@dataclass
class Shift:
    """What the deliveries of one leader share during one term."""

    settings: WebhookSettings
    db: Querying
    session: aiohttp.ClientSession
    deliveries: DeliveryStore
    recorder: Recorder
    places: Places
    ready: Ready
    breaker: Breaker
    secrets: Secrets
    steps: Probe[Step]
    relay_id: str
    term: int
    waiting: set[str] = field(default_factory=set)

    async def change_endpoint(self, endpoint: str, status: str, reason: str) -> None:
        """Pause or resume an endpoint, as the one that leads. Raises LeaseLost, DatabaseUnavailable."""
        self.ready.drop(endpoint)
        position = await self.deliveries.change_endpoint(
            *(endpoint, status, reason), actor="relay", relay_id=self.relay_id, term=self.term
        )
        if position is not None:
            fields = {"endpoint": endpoint, "status": status, "reason": reason}
            logger.warning("Webhook endpoint changed", extra={"fields": fields})


class Delivery:
    """`run()` makes the attempts that are left, the first one at the place that was taken for it."""

    def __init__(self, row: DueDelivery, place: Place, shift: Shift) -> None:
        self._row, self._place, self._shift = row, place, shift
        self._waits = Waits(shift.settings, row.failures)

    async def run(self) -> None:
        """Attempt after attempt until it ended, or goes on from its row."""
        self._step("taken", 1)
        client = RetryClient(
            client_session=cast(aiohttp.ClientSession, self), retry_options=self._waits, logger=logger
        )
        try:
            with contextlib.suppress(NoAnswer, Stop, DatabaseUnavailable):
                await client.post(self._row.url)
        finally:
            self._place.give_back()
            self._shift.waiting.discard(self._row.delivery_id)
            self._step("left", 0)

    async def request(
        self, _: str, __: object, *, trace_request_ctx: dict[str, int], **___: object
    ) -> Answer:
        """One attempt, as aiohttp-retry calls it: returns or raises when its outcome is in the log.

        Raises NoAnswer for what is to be tried again without an answer, Stop when nothing is to follow here.
        """
        number = trace_request_ctx["current_attempt"]
        if number > 1:
            await self._come_back()
        answer = await self._send(number)
        self._place.give_back()
        self._step("answered", number)
        delay = self._waits.next_delay(number, answer)
        await self._record(number, answer, delay)
        await self._tell_breaker(answer)
        if answer.delivered:
            self._step("delivered", number)
            return answer
        shift = self._shift
        # Beyond this bound the row waits instead, and is found when its time has come.
        if delay is None or self._row.is_probe or len(shift.waiting) >= shift.settings.most_open:
            raise Stop
        shift.waiting.add(self._row.delivery_id)
        self._step("waiting", number)
        if answer.status is None:
            raise NoAnswer(answer.error)
        return answer

    async def _come_back(self) -> None:
        """After a wait: take a place, unless the endpoint was paused or disabled meanwhile. Raises Stop."""
        endpoint = self._row.endpoint
        self._place = await self._shift.places.wait(endpoint)
        self._shift.waiting.discard(self._row.delivery_id)
        if await self._shift.db.fetchval(SQL.endpoint_status, endpoint) != "active":
            raise Stop

    async def _send(self, number: int) -> Answer:
        row, shift = self._row, self._shift
        try:
            check_form(row.url, allow_localhost=shift.settings.allow_http_localhost)
        except Invalid as error:
            return Answer(None, f"refused: {error.message}", 0, final=True)
        body = row.body.encode()
        secrets = await shift.secrets.of(row.endpoint, row.api_key)
        headers = signed_headers(row.delivery_id, int(time.time()), body, secrets)
        headers["webhook-sequence"] = str(row.sequence)
        if row.trace and TRACEPARENT.fullmatch(row.trace):
            headers["traceparent"] = row.trace
        self._step("request", number)
        return await attempt(shift.session, row.url, body, headers, shift.settings)

    async def _record(self, number: int, answer: Answer, delay: float | None) -> None:
        """Put the attempt into the log, then say so in a line. Raises Stop when it came too late."""
        row = self._row
        self._step("recording", number)
        outcome, details = "delivered", {"http_status": answer.status, "latency_ms": answer.latency_ms}
        if not answer.delivered:
            outcome, details = "failed", details | self._failure(number, answer, delay)
        told = {name: value for name, value in details.items() if value is not None}
        recorded = await self._shift.recorder.record(row.delivery_id, row.attempts + number, outcome, told)
        self._step("recorded", number)
        if not recorded:
            raise Stop
        self._log(number, answer, delay)

    def _failure(self, number: int, answer: Answer, delay: float | None) -> dict[str, Any]:
        told: dict[str, Any] = {"error": answer.error}
        if answer.gone:
            return told | {"reason": answer.text, "disable": True}
        if self._row.is_probe:
            # Nothing but the pause holds it back: it goes out at once when the endpoint is resumed.
            return told | {"next_delay_ms": 0, "probe": True}
        if delay is not None:
            return told | {"next_delay_ms": round(delay * 1000)}
        failures = self._row.failures + number
        return told | {"reason": f"{answer.text}, {failures} failed attempt{'s' if failures > 1 else ''}"}

    async def _tell_breaker(self, answer: Answer) -> None:
        shift, endpoint, now = self._shift, self._row.endpoint, asyncio.get_running_loop().time()
        if answer.delivered:
            shift.breaker.delivered(endpoint)
            if self._row.is_probe:
                await shift.change_endpoint(endpoint, "active", "a probe was delivered")
        elif self._row.is_probe:
            shift.breaker.probe_failed(endpoint, now)
        elif answer.gone:
            shift.ready.drop(endpoint)
        elif reason := shift.breaker.failed(endpoint, now):
            await shift.change_endpoint(endpoint, "paused", reason)

    def _log(self, number: int, answer: Answer, delay: float | None) -> None:
        row = self._row
        fields: dict[str, object] = {
            "delivery_id": row.delivery_id,
            "task_id": row.task_id,
            "agent_id": row.agent_id,
            "url": re.split(r"[?#]", row.url, maxsplit=1)[0],
            "endpoint": row.endpoint,
            "sequence": row.sequence,
            "attempts": row.attempts + number,
            "latency_ms": answer.latency_ms,
        }
        if answer.delivered:
            logger.info("Webhook delivered", extra={"fields": fields})
            return
        fields |= {"http_status": answer.status, "error": answer.error}
        if row.is_probe and not answer.gone:
            logger.warning("Webhook probe failed", extra={"fields": fields})
        elif delay is not None:
            fields |= {"attempt": row.attempts + number, "next_delay_ms": round(delay * 1000)}
            logger.warning("Webhook retry", extra={"fields": fields})
        else:
            failures = row.failures + number
            text = f"Webhook failed after {failures} {'retry' if failures == 1 else 'retries'}"
            logger.error(text, extra={"fields": fields})

    def _step(self, name: str, number: int) -> None:
        self._shift.steps.emit(Step(name, self._row.delivery_id, self._row.attempts + number))
