"""The group `annals audit`; each command lives in a module of its name."""

import click

from service.audit.at_command import at
from service.audit.bundle_command import bundle
from service.audit.diff_command import diff
from service.audit.export_command import export
from service.audit.import_command import import_
from service.audit.replay_command import replay
from service.audit.verify_commands import rebuild, verify


@click.group()
def audit() -> None:
    """Prove the read models against the log, mend them from it, replay a task's life, read the past.

    \b
    Example: annals audit verify
             annals audit replay task-100000001
             annals audit at 2h
             annals audit diff 1h
    """


for command in (verify, rebuild, replay, at, diff, export, import_, bundle):
    audit.add_command(command)
