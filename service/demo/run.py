"""The order of the demo: fill the service, measure, show what came of it and what the log remembers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.demo import documents, failure, report, taxonomy, webhook
from service.demo.client import Client, Refused
from service.demo.scenario import AGENTS, Plan
from service.demo.screen import Screen
from service.demo.watch import Run, follow

# Longer than the coverage of a part of a small tree can take, unless no worker serves the queue.
PATIENCE_SECONDS = 60.0


class Tree:
    """The taxonomy that is sent: its version, its nodes, and their paths by node id."""

    def __init__(self, version: str, nodes: list[dict[str, Any]]) -> None:
        self.version, self.nodes = version, nodes
        self.paths: dict[str, taxonomy.Path] = {
            str(node["node_id"]): tuple(node["canonical_path"]) for node in nodes
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """An agent with its refresh, once that is over."""

    agent: dict[str, Any]
    run: Run
    result: dict[str, Any]
    gaps: list[dict[str, Any]]


async def run(client: Client, screen: Screen, advice: Sequence[tuple[str, str]]) -> bool:
    """Do the whole demo; false when a measurement did not complete. Raises Refused and Unreachable.

    `advice` is printed at the end: what to do and the command for it, where {agent_id}, {task_id} and
    {failed_id} stand for what the demo made.
    """
    tree = Tree(taxonomy.taxonomy_version(), taxonomy.nodes(taxonomy.classifiers()))
    await _import_taxonomy(client, screen, tree)
    await _import_documents(client, screen, tree)
    agents = await _find_agents(client, screen, tree)
    screen.heading("Measuring coverage in the background")
    async with webhook.listening(client) as hook:
        runs = await _measure(client, screen, agents, hook)
        await _tell(screen, hook, runs)
    measured = [await _outcome(client, agent, run) for agent, run in zip(agents, runs, strict=True)]
    screen.heading("How much of each part is backed by documents")
    screen.table(report.RESULTS, [report.result(m.agent, m.run, m.result) for m in measured])
    screen.heading("The biggest gaps")
    screen.table(report.GAPS, [report.gap(m.agent, m.gaps, tree.paths) for m in measured if m.gaps])
    failed = await _show_failure(client, screen)
    richest = max(measured, key=lambda one: int(one.result.get("total_documents", 0)))
    await _biography(client, screen, richest.run)
    screen.heading("What to try next")
    ids = {"agent_id": richest.agent["agent_id"], "task_id": richest.run.task_id}
    ids |= {"failed_id": failed.task_id} if failed else {}
    possible = [(what, command) for what, command in advice if failed or "{failed_id}" not in command]
    screen.commands([(what, command.format(**ids)) for what, command in possible])
    return all(run.status == "completed" for run in runs)


async def _import_taxonomy(client: Client, screen: Screen, tree: Tree) -> None:
    with screen.step("Taxonomy") as said:
        try:
            await client.get(f"/taxonomies/{tree.version}")
            known = "was there already"
        except Refused as error:
            if error.answer != 404:
                raise
            await client.post(f"/taxonomies/{tree.version}", {"nodes": tree.nodes})
            known = "the classifiers of the Python Package Index"
        said.append(f"{len(tree.nodes)} nodes, {known} ({tree.version})")


async def _import_documents(client: Client, screen: Screen, tree: Tree) -> None:
    with screen.step("Documents") as said:
        found = documents.known_only(documents.installed(), tree.paths)
        for batch in documents.batches(found):
            await client.post("/documents", {"documents": batch})
        said.append(f"{len(found)} descriptions of the packages installed here")


async def _find_agents(client: Client, screen: Screen, tree: Tree) -> list[dict[str, Any]]:
    with screen.step("Agents") as said:
        agents = [await _find_agent(client, plan, tree) for plan in AGENTS]
        names = ", ".join(plan.name for plan in AGENTS)
        said.append(f"{names}: each covers a part of the tree")
    return agents


async def _find_agent(client: Client, plan: Plan, tree: Tree) -> dict[str, Any]:
    """The agent of this name on this taxonomy, made when there is none."""
    for agent in (await client.get("/agents/search", q=plan.name))["agents"]:
        if agent["name"] == plan.name and agent["taxonomy_version"] == tree.version:
            return dict(agent)
    body = {
        "name": plan.name,
        "taxonomy_node_ids": plan.node_ids,
        "taxonomy_version": tree.version,
        "scope_description": plan.scope,
    }
    agent = dict(await client.post("/agents/from-taxonomy", body))
    await client.put(f"/agents/{agent['agent_id']}/targets", plan.targets(tree.paths.values()))
    return agent


async def _measure(
    client: Client, screen: Screen, agents: Sequence[dict[str, Any]], hook: webhook.Hook
) -> list[Run]:
    """Enqueue one refresh for each agent, to be told to the hook, and watch them to their end."""
    # The stream is open before there is anything to hear, so that nothing is missed.
    async with client.stream("/events/stream", type="task.*") as messages:
        runs = []
        for agent in agents:
            path = f"/agents/{agent['agent_id']}/coverage/refresh"
            task = await hook.enqueue(client, path, {"background": True})
            runs.append(Run(agent["name"], task["task_id"]))
        with screen.bars(runs) as bars:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await follow(messages, runs, bars.changed)
            except TimeoutError:
                for run in runs:
                    run.error = run.error or (
                        "" if run.is_over else "no worker has finished it; is one running?"
                    )
    return runs


async def _tell(screen: Screen, hook: webhook.Hook, runs: Sequence[Run]) -> None:
    """Say what came to the receiver; nothing where the service may not call this machine."""
    over = sum(run.is_over for run in runs)
    if hook.url and over:
        with screen.step("Webhooks") as said:
            is_good, text = await hook.story(over)
            said += [text, "" if is_good else "✗"]


async def _outcome(client: Client, agent: dict[str, Any], run: Run) -> Measured:
    agent_id = agent["agent_id"]
    task = await client.get(f"/agents/{agent_id}/coverage/status/{run.task_id}")
    gaps = await client.get(f"/agents/{agent_id}/gaps", threshold=0.5)
    return Measured(agent, run, task["result"] or {}, gaps["gaps"])


async def _show_failure(client: Client, screen: Screen) -> Run | None:
    """Run the task with the mistake in it, where a worker has it; gives the one that failed."""
    if not await failure.is_served(client):
        return None
    runs = await failure.try_packages(client)
    answers = await failure.results(client, runs)
    screen.heading("A task with a mistake in it: which versions of Python does a package support?")
    screen.table(report.PACKAGES, list(map(report.package, runs, answers)))
    return failure.failed_of(runs)


async def _biography(client: Client, screen: Screen, run: Run) -> None:
    events = (await client.get(f"/tasks/{run.task_id}/events"))["items"]
    screen.heading(f"The life of {run.task_id}, as the log remembers it")
    screen.table(report.LIFE, report.life(events))
