"""The group `annals audit`; each command lives in a module of its name."""

import click

from service.cli import LazyGroup

COMMANDS = {
    "at": "service.audit.at_command:at",
    "bundle": "service.audit.bundle_command:bundle",
    "diff": "service.audit.diff_command:diff",
    "export": "service.audit.export_command:export",
    "import": "service.audit.import_command:import_",
    "rebuild": "service.audit.verify_commands:rebuild",
    "replay": "service.audit.replay_command:replay",
    "verify": "service.audit.verify_commands:verify",
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def audit() -> None:
    """Prove the read models against the log, mend them from it, replay a task's life, read the past.

    \b
    Example: annals audit verify
             annals audit replay task-100000001
             annals audit at 2h
             annals audit diff 1h
    """
