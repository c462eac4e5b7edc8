"""The handler on this machine, and what differs between the code there and here."""

import functools
import pdb
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from service import __version__
from service.audit.environment import packages
from service.errors import NotFound
from service.rerun.evidence import Evidence
from service.worker.loading import import_modules
from service.worker.outcomes import Fail, Retry, Snooze
from service.worker.registry import DEFAULT, TaskType

MOST_PACKAGES = 5
# A file from somebody else does not choose what is imported, except among the handlers of this distribution.
OWN, HANDLERS = "service.", ".handlers"


def handler_of(evidence: Evidence, modules: Sequence[str], subjects: Sequence[str]) -> TaskType:
    """Import modules, the service's own first, and find the task's type. Raises NotFound and Invalid."""
    owner = str(evidence.type_there.get("owner") or "").partition(":")[0]
    own = [owner] if owner.startswith(OWN) and owner.endswith(HANDLERS) else []
    import_modules([*(f"{subject}.handlers" for subject in subjects), *own, *modules])
    name = evidence.task["task_type"]
    if name not in DEFAULT:
        where = f" It was defined in {owner}." if owner else ""
        raise NotFound(
            f"There is no handler for {name!r} here.{where}",
            hint=f"Name the module that defines it: --import {owner or 'mypackage.tasks'}",
        )
    return DEFAULT.get(name)


def with_pdb(task_type: TaskType) -> TaskType:
    """The same type, whose handler stops in the debugger where it fails; never in a process."""
    handler = task_type.handler

    @functools.wraps(handler)
    async def debugged_async(ctx: Any) -> Any:
        with _Debugger():
            return await handler(ctx)

    @functools.wraps(handler)
    def debugged(ctx: Any) -> Any:
        with _Debugger():
            return handler(ctx)

    if task_type.run_in == "async":
        return replace(task_type, handler=debugged_async)
    return replace(task_type, handler=debugged, run_in="thread")


def differences(evidence: Evidence, environment: Mapping[str, Any], task_type: TaskType) -> list[str]:
    """What is not the same code as there, a line each; nothing when all is."""
    found = []
    known, here = evidence.type_there.get("code_version"), task_type.code_version()
    if known and known != here:
        found.append(f"the handler's module: {known} there, {here or 'no source'} here")
    if (others := len(evidence.task["types"]) - 1) > 0:
        found.append(f"the catalogue there knew {others} more version{'s' * (others > 1)} of the handler")
    annals = evidence.worker_there.get("code_version") or environment["service_version"]
    python = environment["python"]["version"]
    for name, old, new in (("Annals", annals, __version__), ("Python", python, platform.python_version())):
        if old != new:
            found.append(f"{name}: {old} there, {new} here")
    return found + _packages(environment["packages"], packages())


def _packages(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [
        f"{name}: {then[name]} there, {now.get(name, 'not installed')} here"
        for name in then
        if now.get(name) != then[name]
    ]
    more = len(changed) - MOST_PACKAGES
    return changed[:MOST_PACKAGES] + ([f"and {more} more packages"] if more > 0 else [])


class _Debugger:
    """Stops where an error was raised, unless it is a handler's way to say how it ends; then it goes on."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, Exception) and not isinstance(error, (Fail, Retry, Snooze)):
            pdb.post_mortem(trace)
