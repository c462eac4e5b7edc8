"""Annals: background tasks on PostgreSQL, with a complete record of everything that happened to them.

`from service import Context, task` is all that a module of your own tasks needs (and Fail, Retry, Snooze to
say more than an exception does), `from service import annals_client` all that a program needs to enqueue;
everything else is reached through the command `annals`, the REST API and psql.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Client",
    "Context",
    "Fail",
    "Retry",
    "Snooze",
    "SyncContext",
    "TaskDraft",
    "__version__",
    "annals_client",
    "task",
]

if TYPE_CHECKING:
    from service.store.client import Client, TaskDraft, annals_client
    from service.worker.context import Context, SyncContext
    from service.worker.outcomes import Fail, Retry, Snooze
    from service.worker.registry import task

# What is imported from here, and where it is.
_HOMES = {
    "Client": "service.store.client",
    "Context": "service.worker.context",
    "Fail": "service.worker.outcomes",
    "Retry": "service.worker.outcomes",
    "Snooze": "service.worker.outcomes",
    "SyncContext": "service.worker.context",
    "TaskDraft": "service.store.client",
    "annals_client": "service.store.client",
    "task": "service.worker.registry",
}


def __getattr__(name: str) -> Any:
    """Import these modules on first use, so that `annals --version` does not pay for them."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
