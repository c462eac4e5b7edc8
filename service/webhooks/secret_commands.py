"""The commands `annals webhooks secret rotate|list|show`."""

import re
from dataclasses import asdict
from typing import Any

import click

from service.cli import Context, emit_json_lines, json_option
from service.errors import NotFound
from service.store.console import actor, short, with_database
from service.store.deliveries import DeliveryStore
from service.store.delivery_lists import DeliveryLists
from service.store.pool import Database
from service.store.webhook_secrets import list_secrets, new_secret

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
WARNING = "Whoever has this can sign webhooks in your name: keep it out of logs, tickets and chats."
COLUMNS = ["secret_id", "scope", "created_at", "signs"]
SCOPE_HELP = "default, endpoint:URL or key:NAME (of an API key)."


class Span(click.ParamType[float]):
    """A length of time such as 90s, 30m, 12h or 1d; gives seconds."""

    name = "SPAN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, (int, float)):
            return value
        found = re.fullmatch(r"(\d{1,9})([smhd])", value, re.ASCII)
        if not found:
            self.fail(f"{value!r} is no length of time such as 30m, 12h or 1d.", param, ctx)
        return int(found[1]) * UNITS[found[2]]


@click.group()
def secret() -> None:
    """Rotate, list and show the secrets that sign webhooks.

    The one of an endpoint signs what goes there, else the one of the API key that enqueued the task, else the
    default one, which a relay makes when it first starts.

    \b
    Example: annals webhooks secret rotate --overlap 1d --reason 'it leaked'
             annals webhooks secret list
    """


@secret.command()
@click.option("--scope", default="default", show_default=True, help=SCOPE_HELP)
@click.option("--overlap", type=Span(), help="The one before signs beside it for so long, as 1d; configured.")
@click.option("--reason", help="Why; kept in the log.")
@json_option
@click.pass_obj
def rotate(context: Context, scope: str, overlap: float | None, reason: str | None) -> None:
    """Put a new secret in force and show it. The one before signs beside it for a while.

    During the overlap a webhook carries a signature by each, so that receivers can change one by one.

    \b
    Example: annals webhooks secret rotate
             annals webhooks secret rotate --scope endpoint:https://example.com/hook --overlap 2h
    """
    usual = context.settings.webhooks.secret_overlap_seconds
    made = new_secret()

    async def work(db: Database) -> dict[str, Any]:
        seconds = usual if overlap is None else overlap
        return await DeliveryStore(db).rotate_secret(scope, made, seconds, reason, actor=await actor(db))

    done = with_database(context, work)
    told = [done["secret_id"], done["scope"], made, done["position"]]
    context.table("New secret", ["secret_id", "scope", "secret", "position"], [told])
    click.echo(WARNING, err=True)


@secret.command("list")
@json_option
@click.pass_obj
def list_command(context: Context) -> None:
    """List which secrets are in force; never what they are.

    \b
    Example: annals webhooks secret list --json
    """
    found = with_database(context, list_secrets)
    if context.as_json:
        emit_json_lines(map(asdict, found))
    elif not found:
        context.say("There is none yet: a relay makes the default one when it starts.")
    else:
        rows = [(one.secret_id, one.scope, short(one.created_at), _until(one.expires_at)) for one in found]
        context.table("Secrets of webhooks", COLUMNS, rows)


@secret.command()
@click.option("--scope", default="default", show_default=True, help=SCOPE_HELP)
@json_option
@click.pass_obj
def show(context: Context, scope: str) -> None:
    """Show the secrets in force of a scope, the newest first. Exit code 3 when it has none of its own.

    \b
    Example: annals webhooks secret show
             annals webhooks listen --secret "$(annals webhooks secret show --json | head -1 | jq -r .secret)"
    """
    kind, _, name = scope.partition(":")

    async def look(db: Database) -> list[str]:
        endpoint = await DeliveryLists(db).endpoint_of(name) if kind == "endpoint" else None
        wanted = f"endpoint:{endpoint}" if endpoint else scope
        if wanted not in {one.scope for one in await list_secrets(db)}:
            raise NotFound(
                f"There is no secret of {wanted}.", hint="Those there are: annals webhooks secret list"
            )
        return await DeliveryStore(db).signing_secrets(endpoint or "", name if kind == "key" else None)

    found = with_database(context, look)
    context.table("Secrets", ["scope", "secret"], [(scope, each) for each in found])
    click.echo(WARNING, err=True)


def _until(expires_at: Any) -> str:
    return f"until {short(expires_at)}" if expires_at else "newest"
