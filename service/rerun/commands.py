"""The command `annals replay-local`."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from service.audit.bundle_file import Bundle, read
from service.cli import Context, json_option
from service.commands import ADDRESSES, SECRETS
from service.errors import Invalid
from service.rerun.code import differences, handler_of, with_pdb
from service.rerun.comparison import compare, here, there
from service.rerun.evidence import Evidence, evidence_of
from service.rerun.guard import KINDS, Refused, Rules
from service.rerun.notebook import Notebook
from service.rerun.process import CHILD, guarded, report_kept_apart, run
from service.rerun.report import Report, refusals_in
from service.rerun.running import run_once, surroundings
from service.settings import Settings, flatten, recorded
from service.worker.attempt import Ending, Stop
from service.worker.registry import TaskType

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Replay:
    """What is to be run: an attempt of a bundle, with another deadline or in the debugger if asked."""

    bundle: Bundle
    evidence: Evidence
    timeout_seconds: float | None
    debug: bool


@click.command("replay-local")
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="BUNDLE")
@click.option(
    "--import", "imports", multiple=True, metavar="MODULE", help="The module that defines the task."
)
@click.option("--attempt", type=click.IntRange(1), metavar="N", help="Another attempt than the default.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="S", help="Seconds it may take.")
@click.option("--pdb", "debug", is_flag=True, help="Stop in the debugger where the handler fails.")
@click.option("--allow-network", is_flag=True, help="Let the handler reach the network.")
@click.option("--allow-processes", is_flag=True, help="Let it start other processes, and signal them.")
@click.option("--allow-writes", is_flag=True, help="Let it write anywhere.")
@json_option
@click.pass_obj
def replay_local(
    context: Context,
    bundle: Path,
    imports: tuple[str, ...],
    attempt: int | None,
    timeout: float | None,
    debug: bool,
    allow_network: bool,
    allow_processes: bool,
    allow_writes: bool,
) -> None:
    """Run the task of a debug bundle here, as its worker did, and compare how it ends.

    Without a database: none is looked for, none is started. Network, other processes and writing outside of
    a temporary directory are refused. The attempt is the last that failed, else the last. Exit code 0 when it
    ends as it did there, 1 when not, 3 when there is no handler.

    \b
    Example: annals replay-local task-100000001.bundle.zip --import mypackage.tasks
             annals replay-local task-100000001.bundle.zip --import mypackage.tasks --pdb
    """
    found = read(bundle)
    wanted = Replay(found, evidence_of(found, attempt), timeout, debug)
    switches = zip(KINDS, (allow_network, allow_processes, allow_writes), strict=True)
    allowed = tuple(kind for kind, is_on in switches if is_on)
    with report_kept_apart() as out, guarded(allowed) as (guard, rules):
        try:
            task_type = handler_of(wanted.evidence, imports, context.subjects)
        except Refused as error:
            raise Invalid(f"The handler's module cannot be imported: {error}") from error
        code, is_over = _replay(wanted, task_type, rules, Report(out, context.as_json))
    if not is_over:
        # The interpreter's end waits for threads, and one that was given up may never return.
        os._exit(code)
    guard.lower()
    click.get_current_context().exit(code)


def _replay(wanted: Replay, task_type: TaskType, rules: Rules, report: Report) -> tuple[int, bool]:
    """Run, report and compare; gives the exit code, and whether the handler has ended by itself."""
    environment = wanted.bundle.read_json("environment.json")
    evidence = wanted.evidence
    task = evidence.claimed(float("inf") if wanted.debug else wanted.timeout_seconds)
    report.begin(task, rules.barred, differences(evidence, environment, task_type))
    notebook = Notebook(report.note, evidence.children)
    settings = _settings(environment["configuration"])
    around = surroundings(settings, notebook, wanted.bundle.manifest["epoch"])
    child = (*CHILD, json.dumps({"scratch": rules.scratch, "allowed": rules.allowed}))
    given = with_pdb(task_type) if wanted.debug else task_type

    async def main(shutdown: asyncio.Event) -> Ending | None:
        return await run_once(task, given, around, child, shutdown)

    ending = run(main, rules.scratch)
    if ending is None:
        click.echo("Interrupted.", err=True)
        return INTERRUPTED, False
    then, now = there(evidence.attempt, evidence.records), here(ending)
    verdict = compare(then, now)
    report.end(then, now, refusals_in(rules.notes), verdict)
    return (0 if verdict.is_same else 1), now.kind != Stop.TIMED_OUT.value


def _settings(configuration: dict[str, Any]) -> Settings:
    """The configuration there, without what a bundle does not tell."""
    masked = SECRETS | ADDRESSES
    return recorded({path: value for path, value in flatten(configuration) if path not in masked})
