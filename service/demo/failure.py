"""The part of the demo in which a task fails: run it on three packages, and say what came of each."""

import asyncio
from collections.abc import Sequence
from typing import Any

from service.demo import packages
from service.demo.client import Client
from service.demo.watch import Run, follow

# They take milliseconds; a service whose workers are busy is not waited for.
PATIENCE_SECONDS = 10.0


async def is_served(client: Client) -> bool:
    """Whether a live worker has the handler: those of `annals up --demo` have."""
    types = (await client.get("/task-types"))["items"]
    return any(entry["task_type"] == packages.TASK_TYPE and entry["served"] for entry in types)


async def try_packages(client: Client) -> list[Run]:
    """Enqueue a task for each package and wait for the end of all."""
    async with client.stream("/events/stream", type="task.*") as messages:
        runs = []
        for package in packages.chosen(packages.installed()):
            task = await client.post("/tasks", {"task_type": packages.TASK_TYPE, "params": package})
            runs.append(Run(package["name"], task["task_id"]))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await follow(messages, runs, lambda _: None)
        except TimeoutError:
            pass
    return runs


async def results(client: Client, runs: Sequence[Run]) -> list[Any]:
    """What each task returned; None for one that returned nothing."""
    return [(await client.get(f"/tasks/{run.task_id}")).get("result") for run in runs]


def failed_of(runs: Sequence[Run]) -> Run | None:
    """The task that failed, to look into."""
    return next((run for run in runs if run.status == "failed"), None)
