"""`annals bench --against`, as small as it can be, against what needs no installing: PostgreSQL itself."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.integration.scratches import scratch_databases

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--tasks", "200", "--rounds", "1", "--seconds", "1", "--wakeups", "3")
# The others differ from these by a number.
WORKLOADS = ("life", "wakeup", "churn-pinned")
PATIENCE_SECONDS = 60.0
# Inherited by every process of a run, and by nobody else's.
MARK = "BENCH_TEST_MARK"


@pytest.fixture
def environment(shared_database: str, tmp_path: Path) -> dict[str, str]:
    own = {"ANNALS_ENV": "test", "DATABASE_URL": shared_database, "PYTHONPATH": str(ROOT)}
    return {**os.environ, **own, "ANNALS_HOME": str(tmp_path), MARK: uuid.uuid4().hex}


def bench(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", "bench", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=200)


@pytest.fixture
def clean(environment: dict[str, str]) -> Iterator[None]:
    """Asserts that a run left no database and no process behind."""
    before = scratch_databases(environment["DATABASE_URL"])
    yield
    assert scratch_databases(environment["DATABASE_URL"]) <= before
    assert not agents(environment[MARK])


def agents(mark: str) -> set[int]:
    """The processes that bear this mark and drive a queue."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        try:
            is_agent = b"agent.py" in (place / "cmdline").read_bytes()
            if is_agent and f"{MARK}={mark}".encode() in (place / "environ").read_bytes():
                found.add(int(place.name))
        except OSError:
            # It ended while we looked.
            continue
    return found


@pytest.mark.usefixtures("clean")
def test_every_measurement_of_every_queue_is_a_json_line(environment: dict[str, str], tmp_path: Path) -> None:
    done = bench(environment, "--against", "postgres", *SMALL, "--json", *WORKLOADS)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    settings, measured = records[:2], records[2:]
    assert [record["queue"] for record in settings] == ["annals", "postgres"]
    assert all(record["settings"] for record in settings)
    by_queue = {
        queue: {(r["workload"], r["metric"]): r["value"] for r in measured if r["queue"] == queue}
        for queue in ("annals", "postgres")
    }
    assert by_queue["annals"].keys() == by_queue["postgres"].keys()
    named = {workload for workload, _ in by_queue["annals"]}
    assert named == {"bulk", "drain", "in all", *WORKLOADS} - {"life"}
    # Theirs may be so quick that a task costs nothing to speak of; a rate or a latency is never nothing.
    assert all(record["value"] > 0 for record in measured if record["unit"] in ("tasks/s", "ms", "x"))
    # Three events, the task and its attempt are kept, beside what there is once: theirs deletes all.
    assert by_queue["annals"]["in all", "rows kept"] == pytest.approx(5, abs=0.1)
    assert by_queue["postgres"]["in all", "rows kept"] == 0
    assert by_queue["postgres"]["in all", "row writes"] == pytest.approx(3, abs=0.1)
    shown_again(environment, tmp_path, done.stdout)


def shown_again(environment: dict[str, str], tmp_path: Path, lines: str) -> None:
    results, chart = tmp_path / "results.jsonl", tmp_path / "again.svg"
    results.write_text(lines)
    shown = bench(environment, "--from", str(results), "--chart", str(chart))
    assert shown.returncode == 0, shown.stderr
    assert "annals / postgres" in shown.stdout and "churn-pinned" in shown.stdout
    assert "Drain" in chart.read_text()


@pytest.mark.usefixtures("clean")
def test_rounds_alternate_and_end_in_a_table_and_a_picture(
    environment: dict[str, str], tmp_path: Path
) -> None:
    chart = tmp_path / "bench.svg"
    arguments = ("steady", "--against", "postgres", *SMALL, "--rounds", "2", "--chart", str(chart))
    done = bench(environment, *arguments)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    turns = [line.split()[5] for line in lines if line.startswith("  round")]
    assert turns == ["annals", "postgres", "annals", "postgres"]
    assert "processors" in lines[0] and "PostgreSQL" in lines[1]
    heading = next(line for line in lines if line.startswith("workload"))
    assert "annals / postgres" in heading
    rate = next(line for line in lines if line.startswith("steady") and "rate" in line)
    assert rate.count("(") == 2
    root = ElementTree.parse(chart).getroot()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) == 2


@pytest.mark.usefixtures("clean")
def test_an_interrupted_comparison_leaves_nothing_behind(environment: dict[str, str]) -> None:
    arguments = ("steady", "--against", "postgres", "--seconds", "600")
    command = [sys.executable, "-m", "service", "bench", *arguments]
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_until_measuring(process, environment[MARK])
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, told
    assert b"Traceback" not in told


def wait_until_measuring(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """Until both queues are prepared, and a worker and a producer run."""
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith(b"PostgreSQL itself"):
        assert line, "it ended early"
    until = time.monotonic() + PATIENCE_SECONDS
    while len(agents(mark)) < 2:
        assert time.monotonic() < until, "no agents came"
        time.sleep(0.02)  # processes tell nobody that they were born


@pytest.mark.usefixtures("clean")
def test_a_queue_that_cannot_be_installed_ends_the_run_with_an_error(environment: dict[str, str]) -> None:
    home = Path(environment["ANNALS_HOME"])
    # Where a directory is wanted.
    (home / "peers").touch()
    done = bench(environment, "bulk", "--against", "pgqueuer", *SMALL)
    assert done.returncode == 1
    assert f"Cannot make {home / 'peers' / 'pgqueuer'}" in done.stderr and "Traceback" not in done.stderr


def test_a_server_that_cannot_be_reached_is_named_as_such(environment: dict[str, str]) -> None:
    nobody = {"DATABASE_URL": "postgresql://127.0.0.1:1/nobody"}
    done = bench(environment | nobody, "bulk", "--against", "postgres", *SMALL)
    assert done.returncode == 5
    assert "database is not available" in done.stderr and "Traceback" not in done.stderr
