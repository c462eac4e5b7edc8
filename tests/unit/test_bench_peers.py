"""The catalogue of other queues agrees with the files beside it, and a tally counts."""

import asyncio
import threading

import pytest

from service.bench.install import ADAPTERS
from service.bench.peers.catalogue import ANNALS, OTHERS, Contender
from service.bench.peers.peer import payload
from service.bench.peers.tally import Tally
from service.bench.place import LEFT

ALL = [ANNALS, *OTHERS.values()]


@pytest.mark.parametrize("contender", ALL, ids=lambda contender: contender.name)
def test_a_queue_has_its_adapter_and_counts_what_it_has_left(contender: Contender) -> None:
    suffix = "mjs" if contender.node else "py"
    assert (ADAPTERS / f"{contender.name}.{suffix}").is_file()
    assert "count" in LEFT[contender.name]


@pytest.mark.parametrize("contender", ALL, ids=lambda contender: contender.name)
def test_what_is_installed_is_pinned(contender: Contender) -> None:
    assert all("==" in package for package in contender.python)
    assert all("@" in package for package in contender.node)
    assert contender.version or contender.limit


def test_a_payload_is_about_100_bytes() -> None:
    assert 90 < len(str(payload(12345))) < 130


async def test_a_tally_is_reached_by_the_last_job_alone() -> None:
    tally = Tally()
    waiting = asyncio.create_task(tally.reach(2))
    await asyncio.sleep(0)  # so that it waits before the first job
    tally.on_job(0.0)
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done
    tally.on_job(0.0)
    await asyncio.wait_for(waiting, 5)
    assert (tally.count, tally.latencies) == (2, [])


async def test_a_tally_counts_what_other_threads_do() -> None:
    tally = Tally()
    tally.keep_latencies = True
    thread = threading.Thread(target=lambda: [tally.on_job(0.0) for _ in range(10)])
    thread.start()
    await asyncio.wait_for(tally.reach(10), 5)
    thread.join()
    assert len(tally.latencies) == 10 and tally.first > 0
