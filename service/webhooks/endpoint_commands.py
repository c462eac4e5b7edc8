"""The commands `annals webhooks endpoints|pause|resume|disable`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from service.cli import Context, emit_json_lines, json_option
from service.store.console import actor, short, with_database
from service.store.deliveries import DeliveryStore
from service.store.delivery_lists import DeliveryLists, Endpoint
from service.store.pool import Database

COLUMNS = ["endpoint", "status", "pending", "oldest_waits", "last_delivered_at", "last_sequence"]
COLUMNS += ["failures_1h", "reason"]


@click.command()
@json_option
@click.pass_obj
def endpoints(context: Context) -> None:
    """List endpoints: whether they are sent to, what waits, when one was last delivered, what failed.

    \b
    Example: annals webhooks endpoints
             annals webhooks endpoints --json | jq 'select(.status != "active")'
    """
    found = with_database(context, lambda db: DeliveryLists(db).endpoints())
    if context.as_json:
        emit_json_lines(map(asdict, found))
    elif found:
        context.table("Endpoints", COLUMNS, map(_line, found))
    else:
        context.say("No webhook was ever sent. Give a task a webhook_url.")


@click.command()
@click.argument("endpoint", metavar="URL")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def pause(context: Context, endpoint: str, reason: str | None) -> None:
    """Pause an endpoint: what is to be sent waits, but for a probe now and then.

    \b
    Example: annals webhooks pause https://example.com/hook --reason 'they deploy'
    """
    _change(context, endpoint, "paused", reason)


@click.command()
@click.argument("endpoint", metavar="URL")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def resume(context: Context, endpoint: str, reason: str | None) -> None:
    """Send to an endpoint again, what waits first.

    \b
    Example: annals webhooks resume https://example.com/hook
    """
    _change(context, endpoint, "active", reason)


@click.command()
@click.argument("endpoint", metavar="URL")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def disable(context: Context, endpoint: str, reason: str | None) -> None:
    """Send nothing to an endpoint any more; webhooks of tasks that end from now on are skipped.

    What waits stays until it is resumed; `annals webhooks replay --status skipped` sends the others then.

    \b
    Example: annals webhooks disable https://example.com/hook --reason 'gone for good'
    """
    _change(context, endpoint, "disabled", reason)


def _change(context: Context, url: str, status: str, reason: str | None) -> None:
    async def work(db: Database) -> tuple[str | None, int | None]:
        position = await DeliveryStore(db).change_endpoint(url, status, reason, actor=await actor(db))
        return await DeliveryLists(db).endpoint_of(url), position

    endpoint, position = with_database(context, work)
    outcome = "changed" if position else "unchanged"
    context.table(
        "Endpoint", ["endpoint", "status", "outcome", "position"], [(endpoint, status, outcome, position)]
    )


def _line(row: Endpoint) -> Sequence[Any]:
    waits = None if row.waiting_seconds is None else f"{row.waiting_seconds:,.0f} s"
    delivered_at = short(row.last_delivered_at)
    reason = None if row.status == "active" else row.reason
    return (
        *(row.endpoint, row.status, row.pending, waits, delivered_at, row.last_sequence),
        *(row.failures_last_hour, reason),
    )
