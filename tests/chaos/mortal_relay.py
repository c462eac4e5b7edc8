"""A relay that kills itself, by kill -9, at one step of sending one webhook: `mortal_relay STEP ATTEMPT`."""

import asyncio
import os
import signal
import sys

from service import lifecycle, log
from service.probe import Probe
from service.relay.relay import Relay
from service.relay.sending.delivery import Step
from service.settings import Settings, load
from service.store.doorbell import Doorbell
from service.store.pool import Database
from service.store.wakeups import Wakeups


class Fate(Probe[Step]):
    """Strikes in the very call, before anything else can happen in this process."""

    def __init__(self, name: str, attempt: int) -> None:
        super().__init__()
        self._name, self._attempt = name, attempt

    def emit(self, value: Step) -> None:
        if (value.name, value.attempt) == (self._name, self._attempt):
            os.kill(os.getpid(), signal.SIGKILL)


async def serve(settings: Settings, fate: Fate, shutdown: asyncio.Event) -> int:
    dsn = settings.database.url
    assert dsn is not None
    async with (
        await Database.open(settings.database, dsn) as db,
        Doorbell(db, settings.wakeup) as doorbell,
        Wakeups(dsn, settings.wakeup) as wakeups,
    ):
        relay = Relay(settings, db, wakeups, doorbell, "mortal")
        relay.sender.steps = fate
        return await relay.run(shutdown)


if __name__ == "__main__":
    settings = load()
    log.setup(settings.log)
    sys.exit(lifecycle.run(lambda shutdown: serve(settings, Fate(sys.argv[1], int(sys.argv[2])), shutdown)))
