"""The group `annals webhooks`."""

import click

from service.cli import LazyGroup

# By name, so that a list of deliveries need not wait for the import of an HTTP server.
COMMANDS = {
    "deliveries": "service.webhooks.delivery_commands:deliveries",
    "disable": "service.webhooks.endpoint_commands:disable",
    "endpoints": "service.webhooks.endpoint_commands:endpoints",
    "listen": "service.receiver.listen_command:listen",
    "pause": "service.webhooks.endpoint_commands:pause",
    "redeliver": "service.webhooks.delivery_commands:redeliver",
    "replay": "service.webhooks.replay_command:replay",
    "resume": "service.webhooks.endpoint_commands:resume",
    "secret": "service.webhooks.secret_commands:secret",
    "show": "service.webhooks.delivery_commands:show",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def webhooks() -> None:
    """Look at webhooks, send them again, receive them for a try, and manage endpoints and secrets.

    \b
    Example: annals webhooks listen --port 9000
             annals webhooks deliveries --status pending
             annals webhooks replay --from 2h --dry-run
    """
