"""The benchmark, as small as it can be: every workload gives its figures and leaves no database behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.bench.workloads import WORKLOADS
from tests.integration.scratches import scratch_databases

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--tasks", "200", "--rounds", "1", "--seconds", "1", "--wakeups", "3")


def bench(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ) | {"ANNALS_ENV": "test", "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "service", "bench", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_every_workload_gives_figures_and_cleans_up(shared_database: str) -> None:
    before = scratch_databases(shared_database)
    done = bench(shared_database, *SMALL, "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    found = {(row["workload"], row["metric"]) for row in rows}
    assert found >= {("enqueue-1", "rate"), ("enqueue-20", "rate"), ("bulk", "rate"), ("drain", "rate")}
    assert found >= {("in all", "WAL"), ("in all", "row writes"), ("in all", "transactions")}
    assert found >= {("steady", "rate"), ("pinned", "rate at the end")}
    assert found >= {
        ("churn", "rate at the start"),
        ("churn", "rate at the end"),
        ("churn-pinned", "end / start"),
    }
    assert found >= {("wakeup", "p50"), ("wakeup", "p95"), ("wakeup", "p99")}
    assert all(row["median"] > 0 for row in rows)
    assert scratch_databases(shared_database) == before


def test_only_the_named_workloads_run(shared_database: str) -> None:
    done = bench(shared_database, "enqueue-1", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "processors" in done.stdout and "PostgreSQL" in done.stdout
    assert "enqueue-1" in done.stdout and "drain" not in done.stdout


@pytest.mark.parametrize("arguments", [("nonsense",), ("--rounds", "0"), ("--tasks", "1")])
def test_wrong_arguments_are_refused(shared_database: str, arguments: tuple[str, ...]) -> None:
    done = bench(shared_database, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_help_names_every_workload(shared_database: str) -> None:
    done = bench(shared_database, "--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in WORKLOADS)


def test_an_interrupted_benchmark_leaves_no_database_behind(shared_database: str) -> None:
    before = scratch_databases(shared_database)
    environment = dict(os.environ) | {"ANNALS_ENV": "test", "DATABASE_URL": shared_database}
    command = [sys.executable, "-m", "service", "bench", "steady", "--seconds", "60"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        # The second line comes from the first scratch database: from then on there is something to drop.
        assert "processors" in process.stdout.readline() and "PostgreSQL" in process.stdout.readline()
        process.terminate()
        assert process.wait(timeout=60) == 130
    assert scratch_databases(shared_database) == before
