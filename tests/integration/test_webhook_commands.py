"""The commands `annals webhooks`, as processes: on states made by hand, and as a person tries them first."""

import asyncio
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psycopg
import pytest

from service.cli import Context
from service.store.pool import Database
from service.webhooks import replay_command
from tests.deliveries import HOOK, Post
from tests.listening import Listener, listening

ROOT = Path(__file__).resolve().parents[2]
GREETER = """
from service import task

@task("greet")
async def greet(ctx):
    return {"hello": ctx.params["name"]}
"""


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its JSON lines."""
        assert self.code == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


def environment(dsn: str, **more: str) -> dict[str, str]:
    return os.environ | {"ANNALS_ENV": "test", "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)} | more


async def annals(dsn: str, *arguments: str) -> Done:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "service", "webhooks", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(dsn), stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return Done(int(process.returncode or 0), out.decode(), err.decode())


@pytest.fixture
async def post(database: str) -> AsyncIterator[Post]:
    connection = await asyncpg.connect(database)
    await connection.fetch("""SELECT publish_task_types('[{"task_type": "noop", "code_version": "1"}]')""")
    yield Post(connection)
    await connection.close()


async def test_deliveries_are_listed_and_one_is_shown(database: str, post: Post) -> None:
    one, two = await post.end_tasks(2)
    await post.fail(one)
    await post.deliver(one)
    await post.fail(two)
    everything = await annals(database, "deliveries", "--json")
    assert [row["delivery_id"] for row in everything.rows] == [two, one]
    table = (await annals(database, "deliveries", "--status", "pending", "--since", "1h")).out
    assert two in table and one not in table and "HTTP 503" in table
    none = await annals(database, "deliveries", "--endpoint", "https://nobody.example/")
    assert (none.code, none.out) == (0, "No such deliveries.\n")
    shown = (await annals(database, "show", one)).out
    assert "webhook-signature" in shown and '"position":' in shown
    attempts = [line.split() for line in shown.splitlines() if line.startswith(("1 ", "2 "))]
    assert [(line[0], line[3], line[4]) for line in attempts] == [
        ("1", "failed", "503"),
        ("2", "delivered", "204"),
    ]
    (record,) = (await annals(database, "show", one, "--json")).rows
    assert [each["delivered"] for each in record["tried"]] == [False, True]
    assert (await annals(database, "show", "wh-none")).code == 3


async def test_redelivering_tells_what_became_of_each(database: str, post: Post) -> None:
    one, two = await post.end_tasks(2)
    await post.deliver(one)
    done = await annals(database, "redeliver", one, two, "wh-none", "--reason", "lost", "--json")
    assert done.code == 3
    outcomes = {row["delivery_id"]: row["outcome"] for row in map(json.loads, done.out.splitlines())}
    assert outcomes == {one: "requested", two: "pending", "wh-none": "not_found"}
    assert (await annals(database, "redeliver", two)).code == 4
    assert (
        await post.db.fetchval("SELECT reason FROM webhook_deliveries WHERE delivery_id = $1", one) == "lost"
    )


async def test_a_replay_counts_asks_and_sends(database: str, post: Post) -> None:
    ids = await post.end_tasks(3)
    await post.deliver(*ids[:2])
    (other,) = await post.end_tasks(1, "https://elsewhere.example/in")
    await post.deliver(other)
    asked = await annals(database, "replay", "--from", "0")
    assert asked.code == 2 and "--dry-run" in asked.err
    dry = (await annals(database, "replay", "--from", "1h", "--dry-run", "--json")).rows
    assert dry[:-1] == [
        {"endpoint": "https://elsewhere.example/in", "outcome": "requested", "deliveries": 1},
        {"endpoint": HOOK, "outcome": "pending", "deliveries": 1},
        {"endpoint": HOOK, "outcome": "requested", "deliveries": 2},
    ]
    assert dry[-1]["deliveries"] == 4 and dry[-1]["dry_run"] is True
    pending = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
    assert await post.db.fetchval(pending) == 1, "nothing happened yet"
    real = (await annals(database, "replay", "--from", "0", "--endpoint", HOOK, "--yes", "--json")).rows
    assert real[-1]["deliveries"] == 3 and real[-1]["dry_run"] is False
    assert await post.db.fetchval(pending) == 3
    beyond = await annals(database, "replay", "--from", "0", "--to", "99999999", "--dry-run")
    assert beyond.code == 2 and "no position" in beyond.err


class StopsAfter(asyncio.Event):
    """A signal that comes after so many looks for it."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


async def test_an_interrupted_replay_has_done_whole_batches_and_goes_on_from_there(
    database: str, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_command, "BATCH", 2)
    ids = await post.end_tasks(5)
    await post.deliver(*ids)
    context = Context({"environment": "test"}, lambda home: nullcontext(""))
    pending = (
        "SELECT array_agg(delivery_id ORDER BY sequence) FROM webhook_deliveries WHERE status = 'pending'"
    )
    async with await Database.open(context.settings.database, database) as db:
        stretch = replay_command.Stretch(0, None, None, None, "interrupted")
        await stretch.settle(db)
        assert not await replay_command.go(context, db, stretch, StopsAfter(1), dry_run=False)
        assert await post.db.fetchval(pending) == ids[:2] and stretch.counts.total() == 2
        rest = replay_command.Stretch(stretch.reached, stretch.until, None, None, None)
        await rest.settle(db)
        assert await replay_command.go(context, db, rest, asyncio.Event(), dry_run=False)
        assert await post.db.fetchval(pending) == ids and rest.counts.total() == 3


async def test_at_a_terminal_it_asks_before_it_sends(database: str, post: Post) -> None:
    ids = await post.end_tasks(2)
    await post.deliver(*ids)
    pending = "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'"
    for answer, code, expected in (("n\n", 130, 0), ("\x03", 130, 0), ("y\n", 0, 2)):
        assert await at_terminal(database, answer, "replay", "--from", "0") == code
        assert await post.db.fetchval(pending) == expected


async def at_terminal(dsn: str, answer: str, *arguments: str) -> int:
    """Run a command at a terminal that answers its question; gives the exit code."""
    mine, its = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TERMINAL, sys.executable, "-m", "service", "webhooks", *arguments),
        env=environment(dsn),
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    )
    os.close(its)
    loop, said = asyncio.get_running_loop(), b""
    try:
        while b"[y/N]" not in said:
            said += await asyncio.wait_for(loop.run_in_executor(None, os.read, mine, 4096), 30)
        async with asyncio.timeout(30):
            while process.returncode is None:
                # Python misses a Ctrl-C that comes between its question and its reading: one types it again.
                os.write(mine, answer.encode())
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 2)
        return process.returncode
    finally:
        os.close(mine)


# Makes the terminal its own, so that Ctrl-C typed there becomes a signal.
TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


async def test_endpoints_are_listed_paused_resumed_and_disabled(database: str, post: Post) -> None:
    assert "No webhook was ever sent" in (await annals(database, "endpoints")).out
    (one,) = await post.end_tasks()
    await post.fail(one)
    (changed,) = (await annals(database, "pause", f"{HOOK}?x", "--reason", "they deploy", "--json")).rows
    assert (changed["endpoint"], changed["outcome"]) == (HOOK, "changed")
    (row,) = (await annals(database, "endpoints", "--json")).rows
    assert (row["status"], row["reason"], row["pending"], row["failures_last_hour"]) == (
        "paused",
        "they deploy",
        1,
        1,
    )
    assert "they deploy" in (await annals(database, "endpoints")).out
    assert "its endpoint is paused, HTTP 503" in (await annals(database, "deliveries")).out
    assert "changed" in (await annals(database, "resume", HOOK)).out
    assert "unchanged" in (await annals(database, "resume", HOOK)).out
    assert "disabled" in (await annals(database, "disable", HOOK)).out
    refused = await annals(database, "pause", "example.com")
    assert refused.code == 2 and "http(s) URL" in refused.err


async def test_secrets_are_rotated_listed_and_shown_only_when_asked(database: str, post: Post) -> None:
    assert (await annals(database, "secret", "show")).code == 3
    (first,) = (await annals(database, "secret", "rotate", "--json")).rows
    again = await annals(database, "secret", "rotate", "--overlap", "2h", "--reason", "it leaked", "--json")
    (second,) = again.rows
    assert "keep it out of logs" in again.err
    shown = await annals(database, "secret", "show", "--json")
    assert [row["secret"] for row in shown.rows] == [second["secret"], first["secret"]]
    assert "keep it out of logs" in shown.err
    listed = await annals(database, "secret", "list")
    assert listed.out.count("default") == 2 and "newest" in listed.out and "until" in listed.out
    assert "whsec_" not in listed.out
    left = "SELECT round(extract(epoch FROM expires_at - created_at) / 3600) FROM webhook_secrets ORDER BY 1"
    assert await post.db.fetchval(left) == 2
    own = await annals(database, "secret", "rotate", "--scope", f"endpoint:{HOOK}")
    assert own.code == 0
    assert (await annals(database, "secret", "show", "--scope", f"endpoint:{HOOK}?x", "--json")).code == 0
    for bad in (("--scope", "mine"), ("--overlap", "soon")):
        assert (await annals(database, "secret", "rotate", *bad)).code == 2
    assert await post.db.fetchval("SELECT count(*) FROM events WHERE data::text LIKE '%whsec%'") == 0


@asynccontextmanager
async def everything(dsn: str, folder: Path) -> AsyncIterator[str]:
    """`annals up`, whose retries wait for a tenth of the usual time; gives the address of its API."""
    (folder / "greeter.py").write_text(GREETER)
    command = [sys.executable, "-m", "service", "up", "--port", "0", "--workers", "1", "--import", "greeter"]
    variables = environment(dsn, PYTHONPATH=f"{ROOT}:{folder}", ANNALS_WEBHOOKS__FIRST_DELAY_SECONDS="0.1")
    process = await asyncio.create_subprocess_exec(
        *command, env=variables, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        url = ""
        async with asyncio.timeout(60):
            async for line in process.stdout:
                url = line.decode().split("API")[1].split()[0] if b"API" in line else url
                if b"Ready" in line:
                    break
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 30)


async def until_status(dsn: str, status: str) -> None:
    """Wait until every delivery has this status; the log rings for each change."""
    connection = await asyncpg.connect(dsn)
    changed = asyncio.Event()
    await connection.add_listener("annals_events", lambda *_: changed.set())
    try:
        async with asyncio.timeout(30):
            query = "SELECT count(*) FROM webhook_deliveries WHERE status <> $1"
            while await connection.fetchval(query, status):
                await changed.wait()
                changed.clear()
    finally:
        await connection.close()


async def told(listener: Listener, number: int) -> list[tuple[int, str, int]]:
    """(sequence, news, answer) of the next arrivals; all of them are signed well."""
    arrivals = [await listener.arrival() for _ in range(number)]
    assert {each["verdict"] for each in arrivals} == {"verified"}
    return [(each["sequence"], each["news"], each["answered"]) for each in arrivals]


async def test_a_first_try(database: str, tmp_path: Path) -> None:
    """Listen, enqueue, see it retried and delivered, send it again, replay."""
    async with (
        everything(database, tmp_path) as url,
        listening("--fail-first", "2", "--json", dsn=database) as listener,
        aiohttp.ClientSession(headers={"X-API-Key": "test-key"}) as http,
    ):
        task = {
            "task_type": "greet",
            "params": {"name": "Ada"},
            "webhook_url": f"{listener.url}/hook?token=t",
        }
        async with http.post(f"{url}/api/v1/tasks", json=task) as answer:
            assert answer.status == 202
            task_id = (await answer.json())["task_id"]
        assert await told(listener, 3) == [(1, "new", 503), (1, "retry", 503), (1, "retry", 204)]
        await until_status(database, "delivered")
        (row,) = (await annals(database, "deliveries", "--task", task_id, "--json")).rows
        assert (row["status"], row["attempts"], row["sequence"]) == ("delivered", 3, 1)
        (shown,) = (await annals(database, "show", row["delivery_id"], "--json")).rows
        assert [each["http_status"] for each in shown["tried"]] == [503, 503, 204]
        assert json.loads(shown["body"])["result"] == {"hello": "Ada"}
        assert (await annals(database, "redeliver", row["delivery_id"], "--reason", "a try")).code == 0
        assert await told(listener, 1) == [(1, "duplicate", 204)]
        await until_status(database, "delivered")
        dry = (await annals(database, "replay", "--from", "1h", "--dry-run", "--json")).rows
        assert dry[0] == {"endpoint": f"{listener.url}/hook", "outcome": "requested", "deliveries": 1}
        assert (await annals(database, "replay", "--from", "1h", "--yes")).code == 0
        assert await told(listener, 1) == [(1, "duplicate", 204)]
        code, (last,) = await listener.end()
    summary = json.loads(last)["summary"]
    assert code == 0 and summary["missing"] == {}
    assert (summary["received"], summary["retry"], summary["duplicate"]) == (5, 2, 2)
    with psycopg.connect(database) as connection:
        reasons = connection.execute(
            "SELECT data ->> 'reason' FROM events WHERE type = 'webhook.requested' ORDER BY position"
        ).fetchall()
    assert reasons == [(None,), ("a try",), (None,)]
