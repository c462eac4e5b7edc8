"""The process tree while it runs: the API here, workers and relays below, the demo when asked."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from service.api.server import serving
from service.children import Child, tethered
from service.cli import Context
from service.demo.commands import advice, show
from service.lifecycle import Supervisor, before
from service.store.fleet import FleetStore
from service.store.pool import Database
from service.up.startup import Startup

LOOK_SECONDS = 0.02
# A relay ends within a batch; what it did not do, the next one does.
RELAY_GRACE_SECONDS = 5.0
# The exit code of what Ctrl-C ended before it had begun.
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run: settings, a migrated database, and what to do when everything is up."""

    context: Context
    dsn: str
    startup: Startup
    demo: bool
    once: bool


async def run(plan: Plan, shutdown: asyncio.Event) -> int:
    """Run until `shutdown` is set, or until all is done; gives the exit code.

    The end has an order: the API accepts no more, the workers finish or release what they run.
    Raises Invalid when the port is taken, ChildFailed when the workers cannot run.
    """
    children, relays = _workers(plan), _relays(plan)
    settings, startup = plan.context.settings, plan.startup
    async with Supervisor(shutdown) as supervisor, AsyncExitStack() as stack:
        for child in [*children, *relays]:
            supervisor.start(child.name, child.run())
        with startup.part("API") as words:
            url = await stack.enter_async_context(serving(settings, plan.dsn, plan.context.routes()))
            words.append(f"{url} (documented at /docs)")
        if children:
            with startup.part("Workers") as words:
                await before(shutdown, _until_live(plan, children))
                words.append(f"{len(children)} x {settings.worker.concurrency} tasks at once")
        if relays:
            with startup.part("Relay") as words:
                words.append("follows the log, sends webhooks, fires schedules")
        if shutdown.is_set():
            return INTERRUPTED
        startup.ready("" if plan.once else "Ctrl-C ends it.")
        completed = not plan.demo or await before(shutdown, _show(plan, url))
        if not plan.once:
            await shutdown.wait()
    return 1 if plan.once and not completed else 0


async def _until_live(plan: Plan, children: Sequence[Child]) -> None:
    """Wait until each child has said in the database that it lives."""
    async with await Database.open(plan.context.settings.database, plan.dsn) as db:
        fleet = FleetStore(db)
        while True:
            live = {worker.pid for worker in await fleet.workers(live_only=True)}
            if live.issuperset(child.pid for child in children):
                return
            # They are other processes, starting; a look costs less than a listener.
            await asyncio.sleep(LOOK_SECONDS)


async def _show(plan: Plan, url: str) -> bool:
    settings = plan.context.settings
    key = settings.api.development_key
    assert key is not None, "checked before anything was started"
    return await show(url, key, advice(settings, url, key))


def _relays(plan: Plan) -> list[Child]:
    """The relays; nothing waits for them: what they follow is in the log."""
    environment = plan.context.child_environment(plan.dsn)
    number = plan.context.settings.relay.processes
    return [
        Child(f"relay {each}", tethered("relay"), environment, RELAY_GRACE_SECONDS)
        for each in range(1, number + 1)
    ]


def _workers(plan: Plan) -> list[Child]:
    """The worker processes; they start while the API does."""
    settings = plan.context.settings.worker
    environment = plan.context.child_environment(plan.dsn) | {"ANNALS_WORKER__PROCESSES": "1"}
    return [
        Child(f"worker {number}", tethered("worker"), environment, settings.grace_seconds)
        for number in range(1, settings.processes + 1)
    ]
