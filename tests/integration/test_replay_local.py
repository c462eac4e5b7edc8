"""Tasks that a worker ran, bundled, and run again elsewhere: no database, an empty home, nothing outside."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from service.audit.bundle import collect
from service.audit.bundle_file import pack, read
from service.store.pool import Database
from service.worker.registry import DEFAULT, Registry
from tests.conftest import Server
from tests.integration import rerun_tasks
from tests.integration.worker_bench import ENDED, Bench, running

ROOT = Path(__file__).resolve().parents[2]
MODULE = rerun_tasks.__name__


class Outside:
    """A port that counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def connections(self) -> int:
        """Those since the last call."""
        self._socket.settimeout(0)
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with closing(Outside()) as made:
        yield made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `write` writes."""
    return tmp_path_factory.mktemp("elsewhere") / "file"


@pytest.fixture(scope="module")
def bundles(
    server: Server,
    template: str,
    outside: Outside,
    written: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Path]]:
    """One bundle for each task type of rerun_tasks, after its task ran on a worker."""
    folder = tmp_path_factory.mktemp("bundles")
    with server.clone(template) as dsn:
        params: dict[str, dict[str, Any]] = {
            "all_of_it": {"name": "n"},
            "fail_async": {"what": "order"},
            "order": {"amount": "many"},
            "write": {"path": str(written)},
            **{f"reach_{way}": {"port": outside.port} for way in ("async", "thread", "process")},
            **{f"reach_{way}": {"dsn": dsn} for way in ("libpq", "asyncpg")},
        }
        yield asyncio.run(_made(dsn, params, folder))


async def _made(dsn: str, params: dict[str, dict[str, Any]], folder: Path) -> dict[str, Path]:
    registry = Registry(kind for kind in DEFAULT if kind.handler.__module__ == MODULE)
    made: dict[str, Path] = {}
    async with running(dsn, registry, coverage__default_target=7) as bench:
        ids = {kind.name: await bench.enqueue(kind.name, **params.get(kind.name, {})) for kind in registry}
        await bench.until(ids["cancelled"], "task.progressed")
        await bench.tasks.cancel([ids["cancelled"]], "not needed", actor="test")
        for task_id in ids.values():
            await bench.until(task_id, *ENDED)
        ids["never_started"] = await bench.enqueue("order", amount=3, options={"run_at": "2099-01-01T00:00Z"})
        for name, task_id in ids.items():
            made[name] = folder / f"{name}.zip"
            made[name].write_bytes(await _bundle(bench, dsn, task_id))
    return made


async def _bundle(bench: Bench, dsn: str, task_id: str) -> bytes:
    async with await Database.open(bench.settings.database, dsn) as db:
        return pack(*await collect(db, bench.settings, task_id))[0]


class Elsewhere:
    """A machine with nothing but the code: an empty home, and a DATABASE_URL that nobody may touch."""

    def __init__(self, home: Path, outside: Outside) -> None:
        self.home, self.outside = home, outside
        outside.connections()
        self.environment = dict(os.environ) | {
            "HOME": str(home),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_URL": f"postgresql://user:word@127.0.0.1:{outside.port}/name",
            "TMPDIR": str(home.parent),
        }

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "service", "replay-local", "--import", MODULE, *map(str, arguments)]

    def replay(self, *arguments: object, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            input=given,
        )

    def start(self, *arguments: object) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def untouched(self) -> bool:
        """Nothing was written, nobody was called."""
        return not [*self.home.iterdir()] and not self.outside.connections() and not self.leftovers()

    def leftovers(self) -> list[Path]:
        return [*self.home.parent.glob("annals-replay-*")]


@pytest.fixture
def elsewhere(tmp_path: Path, outside: Outside) -> Iterator[Elsewhere]:
    home = tmp_path / "home"
    home.mkdir()
    place = Elsewhere(home, outside)
    yield place
    assert place.untouched()


def records(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


REPRODUCED = {
    "all_of_it": "completed with the same result and the same 1 recorded events",
    "fail_async": "the same ValueError with the same message",
    "fail_process": "the same LookupError with the same message",
    "resume": "the same RuntimeError with the same message",
    "order": "the same Fail with the same message",
    "for_good": "the same Fail with the same message",
    "later": "completed with the same result",
    "too_long": "timed out, as there",
    "deaf": "timed out, as there",
}


@pytest.mark.parametrize("name", REPRODUCED)
def test_what_a_handler_decides_is_reproduced(
    bundles: dict[str, Path], elsewhere: Elsewhere, name: str
) -> None:
    done = elsewhere.replay(bundles[name])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"reproduced: {REPRODUCED[name]}"
    assert "Here: no database, no network" in done.stdout


def test_the_report_tells_what_the_handler_did_and_its_prints_stay_apart(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    done = elsewhere.replay(bundles["all_of_it"], "--json")
    task, progress, checkpoint, enqueued, recorded, outcome = records(done)
    assert task["kind"] == "task" and task["task_type"] == "all_of_it"
    assert progress == {"kind": "progress", "percentage": 50, "step": "half of it"}
    assert checkpoint == {"kind": "checkpoint", "value": {"done": 1}}
    assert enqueued["task_type"] == "all_of_it_next" and enqueued["params"] == {"of": "n"}
    assert recorded["type"] == "thing.done" and recorded["stream_id"] == "t-1"
    assert outcome["same"] is True and outcome["here"]["result"]["target"] == 7
    assert outcome["here"]["result"]["child"] == enqueued["task_id"]
    assert "a handler prints" in done.stderr and "a handler prints" not in done.stdout


def test_each_attempt_begins_with_its_own_checkpoint(bundles: dict[str, Path], elsewhere: Elsewhere) -> None:
    first = elsewhere.replay(bundles["resume"], "--attempt", 1)
    assert first.returncode == 0 and "attempt 1 began with None after 0 failures" in first.stdout
    last = elsewhere.replay(bundles["resume"])
    assert "attempt 2 began with {'at': 10} after 1 failures" in last.stdout
    none = elsewhere.replay(bundles["resume"], "--attempt", 3)
    assert none.returncode == 2 and "has no attempt 3" in none.stderr and "It has 1, 2." in none.stderr


def test_a_snooze_is_an_outcome_like_others(bundles: dict[str, Path], elsewhere: Elsewhere) -> None:
    done = elsewhere.replay(bundles["later"], "--attempt", 1)
    assert done.returncode == 0 and "reproduced: snoozed, as there" in done.stdout


def test_a_task_that_never_started_runs_as_its_first_attempt(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    done = elsewhere.replay(bundles["never_started"])
    assert done.returncode == 1 and "order, attempt 1" in done.stdout
    assert "nothing to compare: it was never started there; completed here" in done.stdout


def test_what_others_decided_is_not_reproduced_and_told(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    done = elsewhere.replay(bundles["cancelled"], "--timeout", 0.2)
    assert done.returncode == 1
    assert "differs: the attempt was cancelled there; timed out here" in done.stdout


@pytest.mark.parametrize("name", ["reach_async", "reach_thread", "reach_process"])
def test_the_network_is_refused_wherever_the_handler_runs(
    bundles: dict[str, Path], elsewhere: Elsewhere, outside: Outside, name: str
) -> None:
    done = elsewhere.replay(bundles[name])
    assert done.returncode == 1, done.stdout + done.stderr
    said = f"the network is refused in replay-local: connect to 127.0.0.1:{outside.port}; --allow-network"
    assert said in done.stdout
    assert "differs: failed with a Refused here, completed there" in done.stdout
    assert "Something was refused here" in done.stdout


def test_the_network_can_be_allowed(bundles: dict[str, Path], elsewhere: Elsewhere, outside: Outside) -> None:
    done = elsewhere.replay(bundles["reach_thread"], "--allow-network")
    assert done.returncode == 0 and outside.connections() == 1
    assert "Here: no database, no other processes" in done.stdout


def test_databases_of_the_handlers_own_are_refused_in_python_and_in_c(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    python = elsewhere.replay(bundles["reach_asyncpg"])
    assert python.returncode == 1 and "the network is refused in replay-local: connect to" in python.stdout
    if "no network for Python code" in python.stdout:
        pytest.skip("this system has no filter for what C code does")
    libpq = elsewhere.replay(bundles["reach_libpq"])
    assert libpq.returncode == 1 and "failed with an OperationalError here" in libpq.stdout


def test_a_handler_that_reads_by_the_context_is_told_what_to_do(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    done = elsewhere.replay(bundles["use_database"])
    assert done.returncode == 1
    assert "NoDatabaseHere: replay-local has no database" in done.stdout and "audit import" in done.stdout


def test_only_temporary_files_are_written(
    bundles: dict[str, Path], elsewhere: Elsewhere, written: Path
) -> None:
    written.unlink()
    done = elsewhere.replay(bundles["write"])
    assert done.returncode == 1 and not written.exists()
    assert f"temporary directory is refused in replay-local: open {written}" in done.stdout
    assert elsewhere.replay(bundles["write"], "--allow-writes").returncode == 0
    assert written.read_text() == "written"


def test_other_programs_are_not_started(bundles: dict[str, Path], elsewhere: Elsewhere) -> None:
    done = elsewhere.replay(bundles["start_program"])
    assert done.returncode == 1
    assert "another process is refused in replay-local: run echo; --allow-processes" in done.stdout
    assert elsewhere.replay(bundles["start_program"], "--allow-processes").returncode == 0


def test_without_its_handler_there_is_an_import_to_name(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    command = [sys.executable, "-m", "service", "replay-local", str(bundles["fail_async"])]
    done = subprocess.run(
        command, env=elsewhere.environment, cwd=elsewhere.home, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3
    assert "There is no handler for 'fail_async' here" in done.stderr and f"--import {MODULE}" in done.stderr
    missing = elsewhere.replay(bundles["fail_async"], "--import", "no_such_module")
    assert missing.returncode == 2 and "Cannot import no_such_module" in missing.stderr


def test_other_code_is_told(bundles: dict[str, Path], elsewhere: Elsewhere, tmp_path: Path) -> None:
    found = read(bundles["fail_async"])
    environment = found.read_json("environment.json")
    environment["python"]["version"] = "3.0.1"
    environment["packages"] |= {"click": "0.1", "gone": "1"}
    task = found.read_json("task.json")
    task["types"][0]["code_version"] = "abcdef"
    changed = {"environment.json": environment, "task.json": task}
    members = dict(found.members) | {name: json.dumps(value).encode() for name, value in changed.items()}
    facts = {name: value for name, value in found.manifest.items() if name not in ("files", "digest")}
    path = tmp_path / "older.zip"
    path.write_bytes(pack(members, facts)[0])
    done = elsewhere.replay(path)
    assert done.returncode == 0, done.stderr
    for said in ("module: abcdef there", "Python: 3.0.1 there", "click: 0.1 there", "gone: 1 there, not"):
        assert said in done.stdout, said


def test_an_altered_bundle_is_not_run(bundles: dict[str, Path], elsewhere: Elsewhere, tmp_path: Path) -> None:
    data = bundles["fail_async"].read_bytes()
    path = tmp_path / "altered.zip"
    path.write_bytes(data[:300] + b"!" + data[301:])
    done = elsewhere.replay(path)
    assert done.returncode == 2 and "Make it again: annals audit bundle" in done.stderr


def test_the_debugger_stops_where_the_handler_fails(bundles: dict[str, Path], elsewhere: Elsewhere) -> None:
    for name, asked, answer in (
        ("fail_async", "p ctx.params", "{'what': 'order'}"),
        ("fail_process", "p ctx.attempt", "(Pdb) 1"),
    ):
        done = elsewhere.replay(bundles[name], "--pdb", given=f"{asked}\nc\n")
        assert answer in done.stderr, done.stderr
        assert done.returncode == 0, done.stdout


def test_an_interrupt_ends_with_130_and_leaves_nothing(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    for name in ("cancelled", "deaf"):
        with elsewhere.start(bundles[name], "--timeout", 60) as process:
            assert process.stdout is not None
            next(line for line in process.stdout if "waiting" in line)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        assert process.returncode == 130 and "Interrupted." in errors
        assert not elsewhere.leftovers()


def test_a_second_interrupt_ends_a_handler_that_blocks_the_loop(
    bundles: dict[str, Path], elsewhere: Elsewhere
) -> None:
    elsewhere.environment["BLOCK"] = "1"
    with elsewhere.start(bundles["blocks_the_loop"]) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if "blocking still" in line)
        # Two that come before Python looks are one.
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
    assert process.returncode == 130
