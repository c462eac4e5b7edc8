"""The protocol between the benchmark and a queue's processes, with PostgreSQL itself as the queue.

A queue on Node is one of the test's own, in memory: the same commands must give the same answers there.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.bench.agents import PeerFailed, agent
from service.bench.install import ADAPTERS, Program, install
from service.bench.peers.catalogue import OTHERS

MEMORY = """
import {{ drive }} from "{agent}";
let onJob, waiting = [];
const work = () => {{ if (onJob) for (const job of waiting.splice(0)) onJob(job.t); }};
await drive({{
  batch: 30, settings: "in memory",
  async setup() {{}}, async open() {{}}, async stopWorker() {{}},
  async enqueueBatch(jobs) {{
    if (jobs.length > 30) throw new Error("too many");
    waiting.push(...jobs);
    work();
  }},
  async enqueueOne(job) {{ await this.enqueueBatch([job]); }},
  async startWorker(handler) {{ onJob = handler; work(); }},
}});
"""


@pytest.fixture
async def postgres(tmp_path: Path) -> Program:
    """PostgreSQL itself, which needs no installing."""
    return await install(OTHERS["postgres"], tmp_path, print)


@pytest.fixture
def memory(tmp_path: Path) -> Program:
    """A queue on Node that keeps its jobs in memory."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    adapter = tmp_path / "memory.mjs"
    adapter.write_text(MEMORY.format(agent=ADAPTERS / "agent.mjs"))
    return Program("Memory", (node, str(adapter)), os.environ | {"PEER_PACKAGES": str(tmp_path)})


@pytest.fixture(params=["postgres", "memory"])
def program(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


async def test_jobs_enqueued_in_every_way_are_counted(program: Program, database: str) -> None:
    async with agent(program, database) as queue:
        assert queue.settings
        await queue.call("setup")
        await queue.call("open", connections=3)
        assert (await queue.call("bulk", number=70))["elapsed"] > 0
        assert (await queue.call("single", number=20, clients=3))["elapsed"] > 0
        await queue.call("start", latencies=True)
        await queue.call("pace", number=5, pause=0.001)
        first = (await queue.call("reach", number=95))["first"]
        stats = await queue.call("stats")
        assert stats["count"] == 95
        assert len(stats["latencies"]) == 95
        # Both by the clock that all processes share: the worker began after what was enqueued before it.
        assert min(stats["latencies"]) > 0
        assert first > 0
        # What was counted before is reached at once.
        assert await queue.call("reach", number=95) == {"first": first}


async def test_a_churn_tells_when_each_turn_ended(program: Program, database: str) -> None:
    async with agent(program, database) as queue:
        await queue.call("setup")
        await queue.call("open", connections=1)
        await queue.call("start")
        ends = (await queue.call("churn", seconds=0.1, size=30))["ends"]
        assert ends == sorted(ends)
        assert ends[-1] >= 0.1 and all(end < 0.1 for end in ends[:-1])
        assert (await queue.call("stats"))["count"] >= 30 * len(ends)


async def test_a_producer_waits_for_the_progress_that_it_is_told(program: Program, database: str) -> None:
    async with agent(program, database) as queue:
        await queue.call("setup")
        await queue.call("open", connections=1)
        facts = {"seconds": 0.3, "size": 30, "backlog": 50}
        # Nobody works and nothing is told: it stops once the backlog is exceeded.
        waiting = (await queue.call("produce", **facts))["number"]
        assert 30 <= waiting <= 60
        told: list[int] = []

        def follow(jobs: int) -> None:
            told.append(jobs)
            queue.tell("progress", jobs=jobs)

        queue.on_progress = follow
        await queue.call("start", progress=True)
        await queue.call("reach", number=waiting)
        async with asyncio.timeout(60):
            # On a busy machine one stretch of time may be too short for a third batch.
            while (await queue.call("produce", **facts))["number"] <= 60:
                continue
        assert told and told == sorted(told)


async def test_what_a_queue_raises_is_told_and_ends_it(program: Program, database: str) -> None:
    with pytest.raises(PeerFailed, match=r"ended during nonsense(?s:.+)Error"):
        async with agent(program, database) as queue:
            await queue.call("nonsense")


async def test_an_agent_that_does_not_answer_is_given_up(postgres: Program, database: str) -> None:
    with pytest.raises(PeerFailed, match="no answer to reach"):
        async with agent(postgres, database) as queue:
            await queue.call("reach", number=1, limit=0.05)


async def test_what_cannot_even_start_says_why(database: str) -> None:
    program = Program("Nobody", (sys.executable, str(ADAPTERS / "agent.py"), "nobody"), os.environ)
    with pytest.raises(PeerFailed, match=r"Nobody ended during start(?s:.+)service.bench.peers.nobody"):
        async with agent(program, database):
            pass


def test_an_agent_ends_with_the_process_that_drives_it(program: Program, database: str) -> None:
    environment = {**program.environment, "PEER_DSN": database}
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
    with subprocess.Popen(program.command, **options) as process:  # type: ignore[call-overload]
        assert process.stdout.readline().startswith(b'{"hello"')
        process.stdin.close()
        assert process.wait(timeout=30) == 0
