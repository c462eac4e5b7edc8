"""The commands `annals api` and `annals keys`."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import click

from service import lifecycle, log
from service.cli import Context, json_option
from service.settings import Settings
from service.store.keys import KeyStore
from service.store.pool import Database

T = TypeVar("T")
PREFIX = "annals_"


@click.command()
@click.option("--host", help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; 0 takes a free one.")
@click.pass_obj
def api(context: Context, host: str | None, port: int | None) -> None:
    """Serve the REST API until SIGTERM or Ctrl-C. Start as many as you like.

    \b
    Example: annals api --port 8000
             curl -H 'X-API-Key: test-key' localhost:8000/api/v1/tasks
    """
    from service.api.server import serve

    context.override(api__host=host, api__port=port)
    settings = context.settings
    log.setup(settings.log)

    def ready(url: str) -> None:
        context.say(f"Serving {url}, documented at {url}/docs")

    with context.database() as dsn:
        lifecycle.run(lambda shutdown: serve(settings, dsn, context.routes(), shutdown, ready))


@click.group()
def keys() -> None:
    """Create, list and revoke API keys. A key is shown once: only its hash is kept.

    \b
    Example: annals keys create ci --scope write
             annals keys list
    """


@keys.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "write", "admin"]),
    default=["write"],
    show_default=True,
    help="What it may do; each includes those before it. May be given several times.",
)
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), help="Days until it expires; never without."
)
@json_option
@click.pass_obj
def create(context: Context, name: str, scopes: tuple[str, ...], days: float | None) -> None:
    """Create a key and print it.

    \b
    Example: annals keys create ci --scope write --days 90
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).digest()
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    _ask(context, lambda store: store.create(name, digest, scopes, actor="cli", expires_at=expires_at))
    context.table("The key is not shown again", ["name", "key"], [(name, secret)])


@keys.command("list")
@json_option
@click.pass_obj
def list_keys(context: Context) -> None:
    """List keys: names, scopes and times, never the keys.

    \b
    Example: annals keys list --json
    """
    rows = _ask(context, lambda store: store.list())
    context.table(
        "API keys",
        ["name", "scopes", "created_at", "expires_at", "revoked_at"],
        [(key.name, ",".join(key.scopes), key.created_at, key.expires_at, key.revoked_at) for key in rows],
    )


@keys.command()
@click.argument("name")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def revoke(context: Context, name: str, reason: str | None) -> None:
    """Revoke a key; it works for a few seconds more.

    \b
    Example: annals keys revoke ci --reason leaked
    """
    position = _ask(context, lambda store: store.revoke(name, reason, actor="cli"))
    context.table("Revoked", ["name", "position"], [(name, position)])


def _ask(context: Context, question: Callable[[KeyStore], Awaitable[T]]) -> T:
    async def ask(settings: Settings, dsn: str) -> T:
        async with await Database.open(settings.database, dsn) as db:
            return await question(KeyStore(db))

    with context.database() as dsn:
        return asyncio.run(ask(context.settings, dsn))
