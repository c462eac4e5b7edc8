"""The demo against a running service: it does the main job, shows it, and may be repeated."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from service.demo.scenario import AGENTS
from service.demo.taxonomy import taxonomy_version

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(plan.name for plan in AGENTS)


def annals(*arguments: str, dsn: str | None = None) -> "subprocess.CompletedProcess[str]":
    environment = dict(os.environ) | {"ANNALS_ENV": "test", "PYTHONPATH": str(ROOT)}
    environment |= {"DATABASE_URL": dsn} if dsn else {}
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_the_demo_does_the_main_job_and_may_be_repeated(database: str) -> None:
    first = annals("up", "--demo", "--once", dsn=database)
    assert first.returncode == 0, first.stdout + first.stderr
    for name in NAMES:
        assert f"{name}: completed in" in first.stdout
    assert "4 of 4 came to http://127.0.0.1:" in first.stdout
    assert "signatures verified, no. 1-4" in first.stdout
    for said in ("task.enqueued", "task.started", "task.completed", "curl -s", "psql -c", "/docs"):
        assert said in first.stdout, said
    assert "ValueError: invalid literal for int() with base 10" in first.stdout
    for command in ("audit replay task-1", "audit bundle task-1", "replay-local task-1"):
        assert command in first.stdout, command
    assert all("Task failed" in line for line in first.stderr.splitlines()), first.stderr

    second = annals("up", "--demo", "--once", dsn=database)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "was there already" in second.stdout
    with psycopg.connect(database) as connection:
        agents = connection.execute("SELECT name, taxonomy_version FROM agents ORDER BY name").fetchall()
        tasks = connection.execute(
            "SELECT task_type, status, count(*) FROM background_tasks GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        best = connection.execute("SELECT max(overall_coverage) FROM coverage_history").fetchone()
    assert agents == [(name, taxonomy_version()) for name in NAMES]
    assert tasks == [
        ("coverage_refresh", "completed", 2 * len(AGENTS)),
        ("supported_pythons", "completed", 4),
        ("supported_pythons", "failed", 2),
    ]
    assert best is not None and best[0] > 0


def test_the_failing_task_of_the_demo_fails_in_the_same_way_on_another_machine(
    database: str, tmp_path: Path
) -> None:
    shown = annals("up", "--demo", "--once", dsn=database).stdout
    failed = next(word for line in shown.splitlines() if " failed " in line for word in line.split()[1:2])
    assert f"audit bundle {failed}" in shown
    file = tmp_path / "demo.zip"
    made = annals("audit", "bundle", failed, "--output", str(file), dsn=database)
    assert made.returncode == 0, made.stderr
    done = annals("replay-local", str(file), dsn="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("reproduced: the same ValueError with the same message\n")


def test_where_no_worker_has_the_failing_task_the_demo_leaves_it_out(database: str) -> None:
    environment = dict(os.environ) | {"DATABASE_URL": database, "ANNALS_ENV": "test"}
    command = [sys.executable, "-m", "service", "up"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            url = next(line.split("http")[1].split()[0] for line in service.stdout if "API" in line)
            next(line for line in service.stdout if "Ready" in line)
            done = annals("demo", "--url", f"http{url}", "--key", "test-key")
        finally:
            service.terminate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "with a mistake in it" not in done.stdout and "audit bundle" not in done.stdout


def test_a_key_that_may_not_make_a_secret_is_told_that_nothing_is_verified(database: str) -> None:
    made = annals("keys", "create", "demo", "--scope", "write", dsn=database)
    key = made.stdout.split()[-1]
    environment = dict(os.environ) | {"DATABASE_URL": database, "ANNALS_ENV": "test"}
    command = [sys.executable, "-m", "service", "up"]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert service.stdout is not None
            url = next(line.split("http")[1].split()[0] for line in service.stdout if "API" in line)
            next(line for line in service.stdout if "Ready" in line)
            done = annals("demo", "--url", f"http{url}", "--key", key)
        finally:
            service.terminate()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "signatures unverified, no. 1-4" in done.stdout


def test_without_a_service_the_demo_says_how_to_start_one() -> None:
    done = annals("demo", "--url", "http://127.0.0.1:9")
    assert done.returncode == 5
    assert "Nothing answers at http://127.0.0.1:9" in done.stderr and "annals up" in done.stderr


@pytest.mark.parametrize(("key", "hint"), [("wrong-key", "annals keys create")])
def test_a_wrong_key_is_told_with_what_to_do(database: str, key: str, hint: str) -> None:
    # The port is chosen by the service: the demo runs inside of it, with another key than the service knows.
    environment = dict(os.environ) | {"DATABASE_URL": database, "ANNALS_ENV": "test"}
    with subprocess.Popen(
        [sys.executable, "-m", "service", "up", "--workers", "0"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as service:
        try:
            assert service.stdout is not None
            url = next(line.split("http")[1].split()[0] for line in service.stdout if "API" in line)
            done = annals("demo", "--url", f"http{url}", "--key", key)
        finally:
            service.terminate()
    assert done.returncode == 1 and hint in done.stderr and "Invalid or missing API key" in done.stderr
