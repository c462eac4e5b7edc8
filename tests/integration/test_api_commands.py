"""The commands `annals api` and `annals keys`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import aiohttp

from tests.conftest import Server

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", *arguments]


def environment(dsn: str) -> dict[str, str]:
    return os.environ | {"ANNALS_ENV": "test", "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}


def annals(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(dsn), capture_output=True, text=True, check=False, timeout=60
    )


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_key_is_created_listed_and_revoked(database: str) -> None:
    (made,) = rows(annals(database, "keys", "create", "ci", "--scope", "read", "--days", "1", "--json"))
    assert str(made["key"]).startswith("annals_") and len(str(made["key"])) > 40
    (listed,) = rows(annals(database, "keys", "list", "--json"))
    assert (listed["name"], listed["scopes"], listed["revoked_at"]) == ("ci", "read", None)
    assert listed["expires_at"] is not None and made["key"] not in str(listed)
    assert "ci" in annals(database, "keys", "list").stdout
    (revoked,) = rows(annals(database, "keys", "revoke", "ci", "--reason", "leaked", "--json"))
    assert revoked["name"] == "ci"
    assert rows(annals(database, "keys", "list", "--json"))[0]["revoked_at"] is not None


def test_what_is_wrong_with_a_key_ends_with_its_code(database: str) -> None:
    annals(database, "keys", "create", "ci")
    for arguments, code, says in [
        (("create", "ci"), 4, "exists already"),
        (("create", "a b"), 2, "not a key name"),
        (("create", "x", "--scope", "everything"), 2, "everything"),
        (("revoke", "nobody"), 3, "API key not found: nobody"),
    ]:
        done = annals(database, "keys", *arguments)
        assert (done.returncode, says in done.stderr) == (code, True), done


async def test_the_server_takes_a_created_key_and_ends_on_sigterm(database: str) -> None:
    (made,) = rows(await asyncio.to_thread(annals, database, "keys", "create", "ci", "--json"))
    process = await asyncio.create_subprocess_exec(
        *command("api", "--port", "0"), env=environment(database), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        url = line.split()[1].rstrip(",")
        async with aiohttp.ClientSession(headers={"X-API-Key": str(made["key"])}) as http:
            async with http.get(f"{url}/api/v1/tasks") as response:
                assert response.status == 200
            async with http.get(f"{url}/api/v1/taxonomies/unknown") as response:
                assert (await response.json())["detail"] != "There is no such path; see /docs."
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.kill()


def test_a_database_that_is_not_migrated_is_refused(server: Server) -> None:
    name = f"annals_test_empty_{uuid.uuid4().hex}"
    server.execute("CREATE DATABASE {}", name)
    try:
        done = annals(server.dsn(name), "api", "--port", "0")
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)
    assert done.returncode == 4
    assert "0001" in done.stderr and "annals migrate" in done.stderr


async def test_a_port_that_is_taken_is_said(database: str) -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1])
    async with server:
        done = await asyncio.to_thread(annals, database, "api", "--port", port)
    assert done.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken" in done.stderr and "--port" in done.stderr
