"""One attempt on this machine: the worker's runner and executors, around a notebook."""

import asyncio
from collections.abc import Sequence

from service.lifecycle import before
from service.model.task import ClaimedTask
from service.rerun.notebook import NoDatabase, Notebook
from service.settings import Settings
from service.worker.attempt import Ending
from service.worker.executors import AsyncExecutor, ThreadExecutor
from service.worker.ports import Surroundings
from service.worker.process_pool import ProcessExecutor
from service.worker.registry import Registry, TaskType
from service.worker.runner import Runner

ACTOR = "replay-local"
# How long a handler may clean up after Ctrl-C.
LEAVING_SECONDS = 1.0


def surroundings(settings: Settings, notebook: Notebook, epoch: str) -> Surroundings:
    """What the context reaches; the epoch of the log there makes the idempotency key the same."""
    return Surroundings(
        settings=settings,
        db=NoDatabase(),
        tasks=notebook,
        reports=notebook,
        wake_flusher=lambda: None,
        ring=lambda channel, payload: None,
        actor=lambda: ACTOR,
        epoch=epoch,
    )


async def run_once(
    task: ClaimedTask,
    task_type: TaskType,
    around: Surroundings,
    children: Sequence[str],
    shutdown: asyncio.Event,
) -> Ending | None:
    """Run the handler to its end, or past its deadline; None when `shutdown` is set before.

    `children` is the command of the process that a process handler runs in.
    """
    ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def report(ending: Ending) -> None:
        if not ended.done():
            ended.set_result(ending)

    async def wait() -> Ending:
        return await asyncio.shield(ended)

    runner = Runner(Registry([task_type]), report, lambda: ACTOR)
    runner.use(
        {
            "async": AsyncExecutor(around, _place_free),
            "thread": ThreadExecutor(around, _place_free, 1),
            "process": ProcessExecutor(around, _place_free, children),
        }
    )
    runner.start([task])
    try:
        return await before(shutdown, wait())
    finally:
        if not ended.done():
            runner.release_all()
            await asyncio.wait([ended], timeout=LEAVING_SECONDS)
        await runner.close()


def _place_free(_: str) -> None:
    """There is one attempt, and no other waits for its place."""
