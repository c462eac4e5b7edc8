"""The receiver's HTTP side: any path takes POST, and every request becomes one `Arrival`."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

from aiohttp import web

from service.errors import Invalid
from service.receiver.answers import REFUSED, Answers
from service.receiver.arrival import Arrival, facts_of, plain, sequence_of
from service.receiver.ledger import Ledger, Noted
from service.receiver.signature import TAKEN, Verdict, judge

# A delivery holds a task's result, which is bounded by database.max_event_bytes.
MOST_BYTES = 1024 * 1024
GOODBYE_SECONDS = 1.0


class Keys(Protocol):
    """Where the keys of an endpoint come from."""

    async def of(self, endpoint: str, doubtful: str | None = None) -> Sequence[bytes]:
        """Those in force; none when nothing is known. `doubtful`: id of a delivery that no key fits."""


class Receiver:
    """Takes deliveries while it is `receiving`; `tell` hears of each arrival before it is answered."""

    def __init__(
        self, keys: Keys, answers: Answers, tell: Callable[[Arrival], None], *, most_bytes: int = MOST_BYTES
    ) -> None:
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self._keys, self._answers, self._tell = keys, answers, tell
        self._most_bytes = most_bytes
        self._closing = asyncio.Event()

    @asynccontextmanager
    async def receiving(self, host: str, port: int) -> AsyncIterator[int]:
        """Listen within the block; gives the port, for 0 a free one. Raises Invalid when it is taken."""
        app = web.Application(client_max_size=self._most_bytes)
        app.router.add_post("/{path:.*}", self._receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=GOODBYE_SECONDS)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port).start()
            except OSError as error:
                raise Invalid(
                    f"Cannot listen on {host}, port {port}: {error.strerror}.",
                    hint="Choose another with --port, or 0 for a free one.",
                ) from error
            yield int(runner.addresses[0][1])
        finally:
            self._closing.set()
            await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        arrival = await self._judged(request, body)
        self._count(arrival)
        self._tell(arrival)
        seconds = None if arrival.answered is None else self._answers.delay_seconds
        if seconds != 0:
            # Whoever hangs is let go at the end, so that Ctrl-C does not hang as well.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)
        return web.Response(status=arrival.answered or 503)

    async def _judged(self, request: web.Request, body: bytes) -> Arrival:
        endpoint = f"{request.scheme}://{request.host.lower().removesuffix(':80')}{request.rel_url.raw_path}"
        delivery_id = request.headers.get("webhook-id", "")
        number, verdict = sequence_of(request.headers), await self._verdict(endpoint, request, body)
        if verdict in TAKEN:
            answered = self._answers.to(self.ledger.times(delivery_id))
            accepted = answered is not None and 200 <= answered < 300
            noted = self.ledger.note(endpoint, delivery_id, number, accepted)
        else:
            answered, noted = REFUSED, Noted(None, "")
        task_id, status = facts_of(body)
        return Arrival(
            at=datetime.now(UTC),
            endpoint=plain(endpoint),
            delivery_id=plain(delivery_id),
            sequence=number,
            task_id=task_id,
            status=status,
            verdict=verdict,
            news=noted.news,
            order=noted.order,
            answered=answered,
            bytes=len(body),
        )

    async def _verdict(self, endpoint: str, request: web.Request, body: bytes) -> Verdict:
        now = datetime.now(UTC).timestamp()
        verdict = judge(request.headers, body, await self._keys.of(endpoint), now)
        if verdict in ("bad signature", "unverified"):
            # The secret may have been made, or rotated, since it was looked up.
            doubtful = request.headers.get("webhook-id", "")
            verdict = judge(request.headers, body, await self._keys.of(endpoint, doubtful), now)
        return verdict

    def _count(self, arrival: Arrival) -> None:
        self.counts["received"] += 1
        self.counts[arrival.verdict] += 1
        self.counts["bad"] += not arrival.is_taken
        self.counts["refused"] += arrival.is_taken and not 200 <= (arrival.answered or 0) < 300
        if arrival.news:
            self.counts[arrival.news] += 1
