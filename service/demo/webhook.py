"""The part of the demo in which somebody is told: a receiver of its own, and what came there."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from service.demo.client import Client, Refused
from service.errors import Invalid
from service.receiver.answers import Answers
from service.receiver.arrival import Arrival
from service.receiver.ledger import spell
from service.receiver.server import Receiver
from service.receiver.signature import TAKEN
from service.store.webhook_secrets import key_of

# The same each time, when it is free: a repetition of the demo adds no endpoint.
PORT = 9119
# A relay that has just been started leads within a second or two.
PATIENCE_SECONDS = 5.0
LOCAL = {"localhost", "127.0.0.1", "::1"}


class Hook:
    """Where the demo's tasks are told; `url` is empty while the service does not accept one."""

    def __init__(self) -> None:
        self.url = ""
        self.arrivals: list[Arrival] = []
        self._keys: Sequence[bytes] = ()
        self._came = asyncio.Event()

    async def of(self, endpoint: str, doubtful: str | None = None) -> Sequence[bytes]:
        """The keys to verify with; none when the API key may not make a secret."""
        return self._keys

    def take(self, arrival: Arrival) -> None:
        """Remember what came."""
        self.arrivals.append(arrival)
        self._came.set()

    async def open(self, client: Client, url: str) -> None:
        """Expect webhooks at `url`, signed by a secret that is made for it alone."""
        self.url = url
        wanted = {"scope": f"endpoint:{url}", "overlap_seconds": 0, "reason": "for the receiver of the demo"}
        try:
            self._keys = [key_of((await client.post("/webhooks/secrets/rotate", wanted))["secret"])]
        except Refused as error:
            if error.answer != 403:
                raise

    async def enqueue(self, client: Client, path: str, body: Mapping[str, Any]) -> Any:
        """Enqueue a task that is told here, where the service accepts that."""
        if self.url:
            try:
                return await client.post(path, {**body, "webhook_url": self.url})
            except Refused as error:
                if error.answer != 422:
                    raise
                self.url = ""
        return await client.post(path, body)

    async def story(self, number: int) -> tuple[bool, str]:
        """Whether so many came, well signed, and how to say that; waits a while for those under way."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(self.arrivals) < number:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            pass
        verdicts = sorted({arrival.verdict for arrival in self.arrivals})
        numbers = sorted(arrival.sequence or 0 for arrival in self.arrivals)
        if not numbers:
            return False, f"none of {number} came to {self.url}; is a relay running?"
        text = f"{len(numbers)} of {number} came to {self.url}: signatures {', '.join(verdicts)}, "
        text += f"no. {spell((numbers[0], numbers[-1]))}"
        return len(numbers) >= number and TAKEN.issuperset(verdicts), text


@asynccontextmanager
async def listening(client: Client) -> AsyncIterator[Hook]:
    """Receive on this machine within the block, when the service runs on it."""
    hook = Hook()
    if urlsplit(client.url).hostname not in LOCAL:
        yield hook
        return
    async with AsyncExitStack() as stack:
        receiver = Receiver(hook, Answers(), hook.take)
        try:
            port = await stack.enter_async_context(receiver.receiving("127.0.0.1", PORT))
        except Invalid:
            port = await stack.enter_async_context(receiver.receiving("127.0.0.1", 0))
        await hook.open(client, f"http://127.0.0.1:{port}/demo")
        yield hook
