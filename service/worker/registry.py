"""The task types that this process can run: the decorator `task` and the registry it fills.

    from service import Context, task

    @task("greet", timeout_seconds=10)
    async def greet(ctx: Context) -> str:
        return f"Hello {ctx.params['name']}"

A coroutine function runs on the event loop, a plain function in a thread, and with run_in="process" in a
process of its own. A parameter model named in the annotation (`ctx: Context[Greeting]`) gives the catalogue
its JSON schema and the handler validated parameters.
"""

import hashlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from service.errors import Conflict, Invalid, NotFound
from service.sections import TaskTypeSettings
from service.worker.backoffs import Backoff, as_policy
from service.worker.params import Params, declared_params

Handler = TypeVar("Handler", bound=Callable[..., Any])
RunIn = Literal["async", "thread", "process"]
KINDS: tuple[str, ...] = get_args(RunIn)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True, slots=True)
class TaskType:
    """A kind of work: its handler, how it runs, and the defaults of its tasks.

    `subject` is (noun, parameter): ("agent", "agent_id") makes the subject `agent:<params.agent_id>`.
    Ids of tasks are `id_prefix` and a random uuid, or `task-<number>` without a prefix.
    """

    name: str
    handler: Callable[..., Any]
    run_in: RunIn
    queue: str = "default"
    priority: int = 5
    max_attempts: int = 3
    timeout_seconds: float = 300.0
    backoff: Mapping[str, Any] | None = None
    subject: tuple[str, str] | None = None
    id_prefix: str | None = None
    params: Params | None = None

    @property
    def owner(self) -> str:
        """Where the handler is: module:name."""
        return f"{self.handler.__module__}:{self.handler.__qualname__}"

    def code_version(self) -> str:
        """Changes with the source of the handler's module; empty where there is no source to read."""
        try:
            source = inspect.getsource(inspect.getmodule(self.handler) or self.handler)
        except (OSError, TypeError):
            return ""
        return hashlib.sha256(source.encode()).hexdigest()[:12]

    def catalogue_entry(self, changes: TaskTypeSettings | None = None) -> dict[str, Any]:
        """The entry for publish_task_types; `changes` are the configuration's own values for this type."""
        entry: dict[str, Any] = {
            "task_type": self.name,
            "code_version": self.code_version(),
            "queue": self.queue,
            "priority": self.priority,
            "max_attempts": self.max_attempts,
            "timeout_seconds": self.timeout_seconds,
            "backoff": self.backoff,
            "run_in": self.run_in,
            "params_schema": self.params.schema() if self.params else None,
            "description": inspect.getdoc(self.handler),
            "owner": self.owner,
            "subject_type": self.subject[0] if self.subject else None,
            "subject_param": self.subject[1] if self.subject else None,
            "id_prefix": self.id_prefix,
        }
        given = changes.model_dump(exclude_none=True) if changes else {}
        if "backoff" in given:
            given["backoff"] = as_policy(given["backoff"])
        return entry | given


class Registry:
    """Task types by name."""

    def __init__(self, types: Iterable[TaskType] = ()) -> None:
        self._types: dict[str, TaskType] = {}
        for task_type in types:
            self.add(task_type)

    def __iter__(self) -> Iterator[TaskType]:
        return iter(self._types.values())

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def add(self, task_type: TaskType) -> None:
        """Raises Conflict when another handler has the name; the same one again (a reload) replaces it."""
        known = self._types.get(task_type.name)
        if known and known.owner != task_type.owner:
            raise Conflict(
                f"Task type {task_type.name!r} is defined by {known.owner} and by {task_type.owner}.",
                hint="Give one of them another name.",
            )
        self._types[task_type.name] = task_type

    def get(self, name: str) -> TaskType:
        """Raises NotFound."""
        if name not in self._types:
            known = ", ".join(sorted(self._types)) or "none"
            raise NotFound(f"This process has no handler for {name!r}.", hint=f"It has: {known}.")
        return self._types[name]

    def of_kind(self, kind: str) -> list[str]:
        """Names of the types that run this way, sorted."""
        return sorted(task_type.name for task_type in self if task_type.run_in == kind)

    def catalogue(self, changes: Mapping[str, TaskTypeSettings]) -> list[dict[str, Any]]:
        """All entries for publish_task_types, with what the configuration changes."""
        return [task_type.catalogue_entry(changes.get(task_type.name)) for task_type in self]

    def task(
        self,
        name: str,
        *,
        queue: str = "default",
        priority: int = 5,
        max_attempts: int = 3,
        timeout_seconds: float = 300.0,
        backoff: Backoff = None,
        run_in: RunIn | None = None,
        subject: tuple[str, str] | None = None,
        id_prefix: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Register the decorated function as the handler of `name`; the function itself stays as it is.

        `priority` is 1 (first) to 10 (last); `backoff` is a policy, a number of seconds, a list of them,
        "exponential" or "none", and None for exponential. Raises Invalid for values that do not fit.
        """
        _check(name, priority, max_attempts, timeout_seconds)
        policy = as_policy(backoff)

        def register(handler: Handler) -> Handler:
            self.add(
                TaskType(
                    name=name,
                    handler=handler,
                    run_in=_way_to_run(handler, run_in),
                    queue=queue,
                    priority=priority,
                    max_attempts=max_attempts,
                    timeout_seconds=timeout_seconds,
                    backoff=policy,
                    subject=subject,
                    id_prefix=id_prefix,
                    params=declared_params(handler),
                )
            )
            return handler

        return register


def _way_to_run(handler: Callable[..., Any], run_in: RunIn | None) -> RunIn:
    is_async = inspect.iscoroutinefunction(handler)
    chosen = run_in or ("async" if is_async else "thread")
    if chosen not in KINDS or (chosen == "async") != is_async:
        raise Invalid(
            f"{handler.__qualname__} cannot run in {chosen!r}.",
            hint="async def runs on the loop; a plain def in 'thread' or 'process'.",
        )
    if chosen == "process" and ("<" in handler.__qualname__ or handler.__module__ == "__main__"):
        raise Invalid(
            f"{handler.__qualname__} cannot run in a process: it cannot be imported there.",
            hint="Define it at the top level of a module that is not run as a script.",
        )
    return chosen


def _check(name: str, priority: int, max_attempts: int, timeout_seconds: float) -> None:
    problems = [
        (not NAME.fullmatch(name), "a name is letters, digits, _ . - and begins with a letter or _"),
        (not 1 <= priority <= 10, "priority is 1 (first) to 10 (last)"),
        (max_attempts < 1, "max_attempts is at least 1"),
        (timeout_seconds <= 0, "timeout_seconds is positive"),
    ]
    for is_wrong, rule in problems:
        if is_wrong:
            raise Invalid(f"Task type {name!r}: {rule}.")


DEFAULT = Registry()
task = DEFAULT.task
