"""Where a bundle was made: versions, and the configuration in force without its secrets."""

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import distributions, packages_distributions, version
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from service import __version__
from service.commands import ADDRESSES, SECRETS, masked
from service.settings import Settings, flatten


def environment(settings: Settings, owner: str | None, postgresql: str) -> dict[str, Any]:
    """Versions here and now; `owner` is the handler as module:name, when the catalogue knows it.

    The worker that ran the task may have had others: what it said of itself is its worker.started event.
    """
    return {
        "service_version": __version__,
        "python": {"version": platform.python_version(), "implementation": sys.implementation.name},
        "os": platform.platform(),
        "postgresql": postgresql,
        "handler": {"owner": owner, "distributions": _distributions(owner)},
        "packages": packages(),
        "configuration": shareable(settings.model_dump(mode="json")),
    }


def packages() -> dict[str, str]:
    """Version by name of every installed distribution; the first on the path is the one imported."""
    found: dict[str, str] = {}
    for distribution in distributions():
        found.setdefault(distribution.metadata["Name"] or "?", distribution.version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def shareable(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration without its secrets: keys hidden, addresses without their passwords."""
    return {
        name: shareable(value, f"{prefix}{name}.")
        if isinstance(value, Mapping)
        else masked(f"{prefix}{name}", value)
        for name, value in values.items()
    }


def secrets_of(settings: Settings) -> Iterator[tuple[str, str]]:
    """Every secret in force, as (path of the setting, value): whole ones, and the passwords of addresses."""
    for path, value in flatten(settings.model_dump(mode="json")):
        if not isinstance(value, str):
            continue
        if path in SECRETS:
            yield path, value
        if path in ADDRESSES:
            yield from ((path, password) for password in sorted(_passwords(value)))


def _passwords(address: str) -> set[str]:
    """The passwords of a database address, as they are written and as they are meant."""
    found: set[str | None] = set()
    with suppress(ValueError):
        found.add(urlsplit(address).password)
    with suppress(ProgrammingError):
        words = conninfo_to_dict(address)
        found |= {str(words.get(name) or "") for name in ("password", "sslpassword")}
    return {spelt for word in found if word for spelt in (word, unquote(word), quote(word, safe=""))}


def _distributions(owner: str | None) -> dict[str, str]:
    """The distributions that the module of a handler may belong to; none for a module of a checkout."""
    package = (owner or "").partition(":")[0].partition(".")[0]
    return {name: version(name) for name in sorted({*packages_distributions().get(package, [])})}
