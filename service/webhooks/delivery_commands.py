"""The commands `annals webhooks deliveries|show|redeliver`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from service.cli import Context, emit_json_lines, json_option
from service.errors import Conflict, NotFound
from service.store.console import Time, actor, short, with_database
from service.store.deliveries import DeliveryStore, Redelivery
from service.store.delivery_lists import (
    HEADERS,
    STATUSES,
    Delivery,
    DeliveryAttempt,
    DeliveryFilter,
    DeliveryLists,
)
from service.store.pool import Database

PAGE = 500
LONGEST_BODY = 2000
LIST_COLUMNS = ["delivery_id", "sequence", "status", "attempts", "task_id", "endpoint", "created_at", "note"]
ATTEMPT_COLUMNS = ["attempt", "at", "outcome", "http_status", "error", "latency_ms", "next_delay_ms"]


@click.command()
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="May be repeated.")
@click.option("--task", "task_id", metavar="TASK_ID", help="Of this task.")
@click.option("--endpoint", metavar="URL", help="To this endpoint; a query does not matter.")
@click.option("--since", type=Time(), help="Created at or after: a time, or an age such as 2h.")
@click.option("--until", type=Time(), help="Created before.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def deliveries(
    context: Context,
    statuses: tuple[str, ...],
    task_id: str | None,
    endpoint: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> None:
    """List webhooks to send and sent, newest first. The note says why one is not delivered.

    \b
    Example: annals webhooks deliveries --status pending --status abandoned
             annals webhooks deliveries --endpoint https://example.com/hook --since 2h --json
    """
    only = DeliveryFilter(statuses or None, task_id, endpoint, since, until)
    found = with_database(context, lambda db: _collect(DeliveryLists(db), only, limit))
    if context.as_json:
        emit_json_lines(map(asdict, found))
    elif found:
        context.table("Webhooks", LIST_COLUMNS, map(_line, found))
    else:
        context.say("No such deliveries.")


@click.command()
@click.argument("delivery_id")
@json_option
@click.pass_obj
def show(context: Context, delivery_id: str) -> None:
    """Show one delivery, its attempts, and what is sent; exit code 3 when there is none.

    \b
    Example: annals webhooks show wh-0c5b3f0e-0000-4000-8000-000000000000
    """

    async def look(db: Database) -> tuple[Delivery | None, Sequence[DeliveryAttempt], str | None]:
        lists = DeliveryLists(db)
        row = await lists.get(delivery_id)
        return row, await lists.attempts(delivery_id), await lists.body(row) if row else None

    row, attempts, body = with_database(context, look)
    if row is None:
        raise NotFound(
            f"Delivery not found: {delivery_id}",
            hint=f"Its events may still be there: annals events show webhook/{delivery_id}",
        )
    if context.as_json:
        tried = [asdict(each) for each in attempts]
        emit_json_lines([asdict(row) | {"tried": tried, "body": body, "headers": HEADERS}])
        return
    facts = {name: value for name, value in asdict(row).items() if value is not None}
    context.table(delivery_id, ["field", "value"], facts.items())
    context.say("")
    context.table("Attempts", ATTEMPT_COLUMNS, map(_attempt_line, attempts))
    context.say(f"\nHeaders: {', '.join(HEADERS)}\nBody:    {_shortened(body)}")


@click.command()
@click.argument("delivery_ids", nargs=-1, required=True, metavar="DELIVERY_ID...")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def redeliver(context: Context, delivery_ids: tuple[str, ...], reason: str | None) -> None:
    """Send webhooks again, under the same ids and numbers and with all their attempts anew.

    Works for those that are gone from the list, too. Exit code 3 when one was not found, else 4 when one is
    still being sent or its endpoint is disabled.

    \b
    Example: annals webhooks redeliver wh-0c5b3f0e-0000-4000-8000-000000000000 --reason 'lost there'
    """

    async def work(db: Database) -> list[Redelivery]:
        return await DeliveryStore(db).redeliver(delivery_ids, reason, actor=await actor(db))

    done = with_database(context, work)
    rows = [(each.delivery_id, each.outcome, each.sequence, each.position) for each in done]
    context.table("Webhooks", ["delivery_id", "outcome", "sequence", "position"], rows)
    outcomes = {each.outcome for each in done}
    for refused, error in (({"not_found"}, NotFound), ({"pending", "disabled"}, Conflict)):
        if outcomes & refused:
            raise click.exceptions.Exit(error.exit_code)


async def _collect(lists: DeliveryLists, only: DeliveryFilter, limit: int) -> list[Delivery]:
    found: list[Delivery] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await lists.list(only, limit=min(PAGE, limit - len(found)), cursor=cursor)
        found += page.items
        if not (cursor := page.next):
            break
    return found


def _line(row: Delivery) -> Sequence[Any]:
    waits = row.attempts and row.next_attempt_at and row.endpoint_status == "active"
    due_at = f"next at {short(row.next_attempt_at)}" if waits else ""
    note = "; ".join(part for part in (row.trouble, due_at) if part)
    place = row.task_id, row.endpoint, short(row.created_at)
    return row.delivery_id, row.sequence, row.status, row.attempts, *place, note


def _shortened(body: str | None) -> str:
    if body is None:
        return "its event is no longer in the log"
    if len(body) <= LONGEST_BODY:
        return body
    return f"{body[:LONGEST_BODY]}... ({len(body):,} characters; --json shows all)"


def _attempt_line(each: DeliveryAttempt) -> Sequence[Any]:
    outcome = "delivered" if each.delivered else "probe failed" if each.probe else "failed"
    latency = None if each.latency_ms is None else round(each.latency_ms, 1)
    return (
        each.attempt,
        short(each.at),
        outcome,
        each.http_status,
        each.error,
        latency,
        each.next_delay_ms,
    )
