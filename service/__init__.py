"""Annals: background tasks on PostgreSQL, with a complete record of everything that happened to them.

`from service import Context, task` is all that a module of your own tasks needs (and Fail, Retry, Snooze to
say more than an exception does); everything else is reached through the command `annals`, the REST API and
psql.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Context", "Fail", "Retry", "Snooze", "SyncContext", "__version__", "task"]

if TYPE_CHECKING:
    from service.worker.context import Context, SyncContext
    from service.worker.outcomes import Fail, Retry, Snooze
    from service.worker.registry import task

# What a module of tasks imports from here, and where it is.
_HOMES = {
    "Context": "service.worker.context",
    "Fail": "service.worker.outcomes",
    "Retry": "service.worker.outcomes",
    "Snooze": "service.worker.outcomes",
    "SyncContext": "service.worker.context",
    "task": "service.worker.registry",
}


def __getattr__(name: str) -> Any:
    """Import the worker's modules on first use, so that `annals --version` does not pay for them."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
