"""The group `annals audit`; each command lives in a module of its name."""

import click

from service.audit.export_command import export
from service.audit.import_command import import_
from service.audit.replay_command import replay
from service.audit.verify_commands import rebuild, verify


@click.group()
def audit() -> None:
    """Prove the read models against the log, mend them from it, replay a task's life.

    \b
    Example: annals audit verify
             annals audit replay task-100000001
    """


for command in (verify, rebuild, replay, export, import_):
    audit.add_command(command)
