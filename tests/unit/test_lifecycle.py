"""Signals end a process in order; no task's end goes unseen."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from service.lifecycle import Supervisor, before, run

PROGRAM = """
import asyncio
from service.lifecycle import run

async def main(shutdown):
    print("ready", flush=True)
    await shutdown.wait()
    print("ending", flush=True)
    {ending}

raise SystemExit(run(main))
"""


def start(ending: str) -> "subprocess.Popen[str]":
    program = [sys.executable, "-c", PROGRAM.format(ending=ending)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_in_order_with_the_code_of_main(number: signal.Signals) -> None:
    with start("return 3") as process:
        process.send_signal(number)
        output, _ = process.communicate(timeout=10)
    assert (output, process.returncode) == ("ending\n", 3)


def test_a_second_signal_ends_at_once() -> None:
    with start("await asyncio.Event().wait()") as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout and process.stdout.readline() == "ending\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM


def test_run_gives_zero_when_main_gives_nothing() -> None:
    async def main(shutdown: asyncio.Event) -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        await shutdown.wait()

    assert run(main) == 0


def test_after_the_end_signals_are_caught_as_before() -> None:
    async def main(_: asyncio.Event) -> None:
        pass

    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]
    run(main)
    assert [signal.getsignal(number) for number in numbers] == handlers


def forever(name: str, ended: list[str], begun: asyncio.Event) -> Callable[[], "asyncio.Future[None]"]:
    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    return lambda: asyncio.ensure_future(wait())


async def test_tasks_end_in_the_reverse_order_of_their_start() -> None:
    ended: list[str] = []
    names = ["pool", "listener", "worker"]
    async with Supervisor(asyncio.Event()) as supervisor:
        for name in names:
            begun = asyncio.Event()
            supervisor.keep(name, forever(name, ended, begun))
            await begun.wait()
    assert ended == names[::-1]


async def test_a_task_may_be_stopped_before_it_began() -> None:
    async def never() -> None:
        raise AssertionError("it ran")

    async with Supervisor(asyncio.Event()) as supervisor:
        task = supervisor.start("never", never())
    assert task.cancelled()


async def test_a_failed_task_shuts_down_and_is_raised() -> None:
    shutdown = asyncio.Event()

    async def fail() -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        async with Supervisor(shutdown) as supervisor:
            supervisor.start("failing", fail())
            await asyncio.wait_for(shutdown.wait(), 30)


async def test_a_failure_during_the_stop_is_raised_too() -> None:
    begun = asyncio.Event()

    async def fail_when_cancelled() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("while closing")

    with pytest.raises(LookupError, match="while closing"):
        async with Supervisor(asyncio.Event()) as supervisor:
            supervisor.start("failing", fail_when_cancelled())
            await begun.wait()


async def test_the_error_of_the_block_comes_before_that_of_a_task() -> None:
    async def fail() -> None:
        raise LookupError("of the task")

    with pytest.raises(ZeroDivisionError):
        async with Supervisor(asyncio.Event()) as supervisor:
            supervisor.start("failing", fail())
            await asyncio.wait_for(supervisor.shutdown.wait(), 30)
            raise ZeroDivisionError


async def test_a_kept_loop_starts_again_after_it_failed() -> None:
    runs, third = [], asyncio.Event()

    async def loop() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise ConnectionResetError
        third.set()

    shutdown = asyncio.Event()
    async with Supervisor(shutdown) as supervisor:
        task = supervisor.keep("loop", loop, pause=0.001)
        await asyncio.wait_for(third.wait(), 30)
        await asyncio.wait_for(task, 30)
    assert runs == [0, 1, 2]
    assert not shutdown.is_set()


async def test_a_task_that_ended_is_no_longer_kept() -> None:
    async def answer() -> int:
        return 42

    async with Supervisor(asyncio.Event()) as supervisor:
        task = supervisor.start("answer", answer())
        assert await task == 42
        await supervisor.stop()
        assert not task.cancelled()


async def test_work_that_ends_before_the_shutdown_gives_its_value() -> None:
    assert await before(asyncio.Event(), asyncio.sleep(0, "done")) == "done"


async def test_work_that_fails_before_the_shutdown_raises() -> None:
    async def fail() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await before(asyncio.Event(), fail())


async def test_a_shutdown_cancels_the_work_and_waits_for_its_end() -> None:
    shutdown, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            shutdown.set()
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    assert await before(shutdown, work()) is None
    assert cleaned.is_set()
