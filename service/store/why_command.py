"""The command `annals tasks why`."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from service.cli import Context, emit_json_lines, json_option
from service.store.biography import BiographyStore
from service.store.console import with_database


@click.command()
@click.argument("task_id", metavar="TASK")
@json_option
@click.pass_obj
def why(context: Context, task_id: str) -> None:
    """Say in one sentence why a task is not running, or what became of it; then the facts.

    Exit code 3 when there is no such task, nor an event of one.

    \b
    Example: annals tasks why task-100000001
             annals tasks why task-100000001 --json | jq -r .reason
    """
    found = with_database(context, lambda db: BiographyStore(db).why(task_id))
    if context.as_json:
        emit_json_lines([asdict(found)])
        return
    context.say(click.style(found.sentence, bold=True, fg="red" if found.blocked else None))
    facts = dict(found.facts)
    for cause in facts.pop("causes", [])[1:]:
        context.say(f"Also: {cause['sentence']}")
    context.say("")
    words = dict.fromkeys((found.status or "gone", found.reason, "blocked" if found.blocked else ""))
    state = ", ".join(filter(None, words))
    context.table(task_id, ["fact", "value"], [("state", state), *flattened(facts)])


def flattened(facts: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """Facts as (name, value), with a dot between the names of nested ones; what is empty is left out."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{above}{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for number, each in enumerate(value, 1):
                yield from flattened(each, f"{above}{name}.{number}.")
        elif value not in (None, []):
            yield f"{above}{name}", round(value, 3) if isinstance(value, float) else value
