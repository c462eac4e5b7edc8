"""Figures of the REST API: requests a second, latency, and what a request costs the processor.

    python tests/benchmarks/rest.py DSN [--seconds 5] [--clients 1,20,100] [--bulk 1000]

DSN names an empty database on this machine, which is migrated. One API process, `annals api`, is asked over
keep-alive connections: POST /tasks with a payload of 100 bytes, then POST /tasks/bulk. The clients are this
script once more, in a process of its own: one event loop that sends bytes made beforehand and looks at
nothing of an answer but its status and length. Processor time is that of the API process, of all processes
of the PostgreSQL server, and of the clients, in microseconds a request (for bulk: a task).
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psycopg
import uvloop

from service.bench import tasks
from service.bench.figures import percentile
from service.settings import load
from service.store.fleet import FleetStore
from service.store.migrate import migrate
from service.store.pool import Database

CHECKPOINTER = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
WARM_SECONDS = 1.0
TICK = os.sysconf("SC_CLK_TCK")
KEY = "bench-key"


def request(path: str, body: object) -> bytes:
    """A whole request as it goes over the wire."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Client(asyncio.Protocol):
    """One connection: the next request goes out when an answer is complete."""

    def __init__(self, sent: bytes, spans: list[float], refused: list[bytes]) -> None:
        self._sent, self._spans, self._refused = sent, spans, refused
        self._arrived, self._size, self._began = b"", 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        if not self._size and (end := self._arrived.find(b"\r\n\r\n")) > 0:
            at = self._arrived.index(b"Content-Length: ") + 16
            self._size = end + 4 + int(self._arrived[at : self._arrived.index(b"\r", at)])
        if self._size and len(self._arrived) >= self._size:
            self._spans.append(time.perf_counter() - self._began)
            if not self._arrived.startswith(b"HTTP/1.1 202 "):
                self._refused.append(self._arrived)
            self._ask()

    def _ask(self) -> None:
        self._arrived, self._size, self._began = b"", 0, time.perf_counter()
        self._transport.write(self._sent)


async def ask(port: int, clients: int, seconds: float, sent: bytes) -> dict[str, object]:
    """Ask for so long from so many connections."""
    spans: list[float] = []
    refused: list[bytes] = []
    loop, began = asyncio.get_running_loop(), time.process_time()
    for _ in range(clients):
        await loop.create_connection(lambda: Client(sent, spans, refused), "127.0.0.1", port)
    await asyncio.sleep(seconds)  # the clients work meanwhile
    assert not refused, refused[0]
    ordered = sorted(spans)
    found = {f"p{share}": percentile(ordered, share / 100) * 1000 for share in (50, 95)}
    return {"requests": len(spans), "cpu": time.process_time() - began} | found


def processor_seconds(pid: int) -> float:
    """What a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def server_seconds(postmaster: int) -> float:
    """What the processes of the server have used; those that ended in between are missing."""
    total = 0.0
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            total += processor_seconds(pid) if parent(pid) == postmaster else 0.0
        except OSError:
            continue  # it has ended
    return total


@contextmanager
def served(dsn: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """An API process with the settings of production but for its key, and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"DATABASE_URL": dsn, "ANNALS_API__DEVELOPMENT_KEY": KEY}
    command = [sys.executable, "-m", "service", "api", "--port", str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.05)  # it is another process, starting
            yield process, port
        finally:
            process.terminate()


def measure(api: int, port: int, postmaster: int, clients: int, seconds: float, bulk: int) -> str:
    """One line of figures; `bulk` tasks a request, 0 for single ones."""
    command = [sys.executable, __file__, "--ask", f"{port},{clients},{bulk}", "--seconds"]
    subprocess.run([*command, str(WARM_SECONDS)], check=True, stdout=subprocess.DEVNULL)
    before = processor_seconds(api), server_seconds(postmaster)
    done = subprocess.run([*command, str(seconds)], check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    used = (processor_seconds(api) - before[0], server_seconds(postmaster) - before[1], found["cpu"])
    number = found["requests"] * (bulk or 1)
    costs = "".join(f"{seconds / number * 1e6:11.1f}" for seconds in used)
    name = f"{bulk:,} tasks a request" if bulk else "one task a request"
    return (
        f"{name:<22}{clients:>7}{number / seconds:>12,.0f}/s{found['p50']:>9.2f}{found['p95']:>9.2f}{costs}"
    )


async def prepare(dsn: str) -> None:
    async with await Database.open(load().database, dsn) as db:
        await FleetStore(db).publish_task_types(tasks.catalogue())


def sent(bulk: int) -> bytes:
    task = {"task_type": tasks.NOOP, "params": tasks.payload(1)}
    return request("/api/v1/tasks/bulk", {"tasks": [task] * bulk}) if bulk else request("/api/v1/tasks", task)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dsn", nargs="?")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", default="1,20,100", help="connections at once, one measurement each")
    parser.add_argument("--bulk", type=int, default=1000, help="tasks of a bulk request")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        port, clients, bulk = map(int, given.ask.split(","))
        print(json.dumps(uvloop.run(ask(port, clients, given.seconds, sent(bulk)))))
        return
    migrate(given.dsn)
    asyncio.run(prepare(given.dsn))
    with psycopg.connect(given.dsn) as db, served(given.dsn) as (api, port):
        postmaster = parent(int((db.execute(CHECKPOINTER).fetchone() or [0])[0]))
        print(f"{'':<22}{'clients':>7}{'rate':>14}{'p50 ms':>9}{'p95 ms':>9}", end="")
        print("".join(f"{name:>11}" for name in ("API us", "server us", "clients us")))
        for clients in map(int, given.clients.split(",")):
            print(measure(api.pid, port, postmaster, clients, given.seconds, 0), flush=True)
        print(measure(api.pid, port, postmaster, 1, given.seconds, given.bulk), flush=True)
        memory = Path(f"/proc/{api.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
        print(f"memory of the API process: {int(memory) / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
