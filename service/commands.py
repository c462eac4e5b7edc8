"""The command `annals config`: what is in force, and which layer said so."""

import re
from collections.abc import Iterator

import click

from service.cli import Context, json_option
from service.settings import Settings, flatten

MASK = "***"
SECRETS = {"api.development_key"}
ADDRESSES = {"database.url", "database.listen_url"}


@click.command()
@click.argument("section", required=False)
@json_option
@click.pass_obj
def config(context: Context, section: str | None) -> None:
    """Show every setting in force and where it comes from; secrets are masked.

    \b
    Example: annals config worker
             annals config --json | jq 'select(.from != "default.toml")'
    """
    rows = list(_rows(context.settings, section))
    if not rows:
        sections = ", ".join(type(context.settings).model_fields)
        raise click.BadParameter(f"There is no section {section!r}. There are {sections}.")
    context.table("Settings in force", ["setting", "value", "from"], rows)


def _rows(settings: Settings, section: str | None) -> Iterator[tuple[str, object, str]]:
    for path, value in flatten(settings.model_dump(mode="json")):
        if section is None or path.split(".")[0] == section:
            yield path, masked(path, value), settings.origin(path)


def masked(path: str, value: object) -> object:
    """The value as it may be shown: secrets hidden, addresses without their password."""
    if path in SECRETS and value is not None:
        return MASK
    if path in ADDRESSES and isinstance(value, str):
        return without_password(value)
    return value


def without_password(url: str) -> str:
    """A database address with its passwords, before the host, in the query or as words, replaced by `***`."""
    if not re.match(r"\w+://", url):
        return re.sub(r"(\b(?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|\S*)", rf"\1{MASK}", url)
    url = re.sub(r"^(\w+://[^:@/?]*):[^?]*@", rf"\1:{MASK}@", url)
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", rf"\1{MASK}", url)
