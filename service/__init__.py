"""Annals: background tasks on PostgreSQL, with a complete record of everything that happened to them.

`from service import task` is all that a module of your own tasks needs; everything else is reached
through the command `annals`, the REST API and psql.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "task"]


def __getattr__(name: str) -> Any:
    """Import the worker's registry on first use, so that `annals --version` does not pay for it."""
    if name == "task":
        return import_module("service.worker.registry").task
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
