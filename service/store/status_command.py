"""The command `annals status`."""

from dataclasses import asdict

import click

from service.cli import Context, emit_json_lines, json_option
from service.store.console import with_database
from service.store.status import StatusStore
from service.store.status_screen import screen


@click.command()
@json_option
@click.pass_context
def status(ctx: click.Context) -> None:
    """Show the whole installation on one screen: fleet, leader, queues, lags, webhooks, last errors.

    What needs a person comes first, one line each. Exit code 0 when all is well, 1 when something needs a
    person: no leader, no live worker while tasks wait, parked events, an endpoint paused or disabled, a
    follower, an open append or a schedule a minute late, a queue of more than 1000, a task that runs for ten
    minutes, more than 3 workers lost in ten minutes, more than 10 % of the tasks or 20 % of the webhook
    attempts of the last hour failed.

    \b
    Example: annals status
             annals status --json | jq .reasons
             annals status > /dev/null || mail -s 'annals needs a person' ops@example.com
    """
    context: Context = ctx.obj
    found = with_database(context, lambda db: StatusStore(db).status())
    if context.as_json:
        emit_json_lines([asdict(found)])
    else:
        for line in screen(found):
            click.echo(line)
    ctx.exit(0 if found.is_well else 1)
