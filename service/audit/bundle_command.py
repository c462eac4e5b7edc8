"""The command `annals audit bundle`."""

import asyncio
import re
from pathlib import Path

import click

from service.audit.bundle import collect, exposed
from service.audit.bundle_file import pack
from service.audit.running import INTERRUPTED, with_audit
from service.audit.whole_file import placed
from service.cli import Context, emit_json_lines, json_option
from service.lifecycle import before
from service.store.pool import Database


@click.command()
@click.argument("task_id", metavar="TASK")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Instead of TASK.bundle.zip.",
)
@click.option("--force", is_flag=True, help="Replace the file when there is one.")
@json_option
@click.pass_obj
def bundle(context: Context, task_id: str, output: Path | None, force: bool) -> None:
    """Put everything that is needed to run one task again elsewhere into one file.

    Its events, params, attempts with tracebacks, what caused it and what it caused, versions, and the
    configuration without secrets. The file is a zip of texts; `annals replay-local` runs the task from it.

    \b
    Example: annals audit bundle task-100000001
             annals replay-local task-100000001.bundle.zip --import mypackage.tasks
    """
    path = output or Path(f"{re.sub(r'[^A-Za-z0-9._-]', '_', task_id)}.bundle.zip")

    async def work(db: Database, stop: asyncio.Event) -> int:
        found = await before(stop, collect(db, context.settings, task_id))
        if found is None:
            return INTERRUPTED
        members, facts = found
        data, manifest = pack(members, facts)
        with placed(path, replace=force) as file:
            file.write(data)
        _tell(context, path, manifest, len(data))
        for setting, name in exposed(members, context.settings):
            click.echo(
                f"Warning: the value of {setting} stands in {name}: the log of this task holds it.", err=True
            )
        return 0

    with_audit(context, work)


def _tell(context: Context, path: Path, manifest: dict[str, object], size: int) -> None:
    if context.as_json:
        facts = {
            name: value for name, value in manifest.items() if name not in ("files", "format", "version")
        }
        emit_json_lines([{"file": str(path), "bytes": size, **facts}])
        return
    more = "" if manifest["related_complete"] else " (there are more)"
    context.say(
        f"Wrote {path}: {manifest['events']} events, {manifest['related']} on other streams{more}, "
        f"{size / 1024:.1f} KiB.\nIts digest is {manifest['digest']}.\n"
        f"Run the task from it anywhere: annals replay-local {path}"
    )
