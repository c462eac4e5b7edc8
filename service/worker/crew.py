"""Several worker processes under one parent: `annals worker --processes N`.

The parent does nothing but watch: a child that dies is started again, SIGINT and SIGTERM reach all of them,
and children end when the parent is gone, however it went.
"""

import asyncio

from service.children import Child, tethered
from service.cli import Context
from service.lifecycle import Supervisor


async def run_crew(context: Context, dsn: str, shutdown: asyncio.Event) -> int:
    """Run settings.worker.processes workers until shutdown. Raises ChildFailed when they cannot start."""
    settings = context.settings.worker
    environment = context.child_environment(dsn) | {"ANNALS_WORKER__PROCESSES": "1"}
    async with Supervisor(shutdown) as supervisor:
        runs = []
        for number in range(1, settings.processes + 1):
            child = Child(f"worker {number}", tethered("worker"), environment, settings.grace_seconds)
            runs.append(supervisor.start(child.name, child.run()))
        await shutdown.wait()
        # All at once: one after the other, the grace of each would add up.
        for run in runs:
            run.cancel()
        await asyncio.wait(runs)
    return 0
