"""Declaring task types: what is accepted, what the catalogue is told, what is refused."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from pydantic import BaseModel

import service
from service import Context, SyncContext
from service.errors import Conflict, Invalid, NotFound
from service.sections import TaskTypeSettings
from service.worker.backoffs import as_policy
from service.worker.context import agent_of
from service.worker.loading import import_modules
from service.worker.outcomes import Fail
from service.worker.registry import Registry

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")


@dataclass
class Mail:
    to: str
    copies: int = 1


class Page(BaseModel):
    url: str


def test_a_type_is_told_to_the_catalogue() -> None:
    registry = Registry()

    @registry.task("mail.send", queue="mail", priority=2, backoff=[2, 4], subject=("person", "to"))
    async def send(ctx: Context[Mail]) -> None:
        """Send one mail."""

    (entry,) = registry.catalogue({"mail.send": TaskTypeSettings(priority=1, backoff="none")})
    assert entry["task_type"] == "mail.send" and entry["description"] == "Send one mail."
    assert (entry["queue"], entry["priority"], entry["backoff"]) == ("mail", 1, {"kind": "none"})
    assert (entry["run_in"], entry["subject_type"], entry["subject_param"]) == ("async", "person", "to")
    assert entry["params_schema"]["properties"]["copies"]["default"] == 1
    assert len(entry["code_version"]) == 12 and entry["owner"].endswith("send")


@pytest.mark.parametrize("declared", [Mail, Page])
def test_parameters_are_parsed_as_declared(declared: type[Any]) -> None:
    registry = Registry()

    @registry.task("t")
    async def handler(ctx: Context[declared]) -> None:  # type: ignore[valid-type]
        """A handler."""

    params = registry.get("t").params
    assert params is not None
    good = {"to": "a@b"} if declared is Mail else {"url": "https://x"}
    assert isinstance(params.parse(good), declared)
    with pytest.raises(Fail, match="do not fit"):
        params.parse({})


def test_without_a_declaration_anything_goes() -> None:
    registry = Registry()

    async def bare(ctx: Any) -> None:
        """No type."""

    async def loose(ctx: Context[Any]) -> None:
        """Any."""

    async def open_(ctx: Context[T]) -> None:
        """A type variable."""

    for number, handler in enumerate((bare, loose, open_)):
        registry.task(f"t{number}")(handler)
        assert registry.get(f"t{number}").params is None


def test_a_plain_function_runs_in_a_thread_and_on_wish_in_a_process() -> None:
    registry = Registry()
    registry.task("a")(top_level)
    registry.task("b", run_in="process")(top_level)
    assert (registry.get("a").run_in, registry.get("b").run_in) == ("thread", "process")
    assert (registry.of_kind("process"), registry.of_kind("async")) == (["b"], [])


def top_level(ctx: SyncContext[Any]) -> None:
    """Can be imported elsewhere."""


async def coroutine(ctx: Context[Any]) -> None:
    """Cannot leave the loop."""


def unresolved(ctx: "Context[Decimal]") -> None:
    """Names what is not there at run time."""


@pytest.mark.parametrize(
    ("options", "handler"),
    [
        ({"name": "with blank"}, top_level),
        ({"priority": 0}, top_level),
        ({"priority": 11}, top_level),
        ({"max_attempts": 0}, top_level),
        ({"timeout_seconds": 0}, top_level),
        ({"backoff": "soon"}, top_level),
        ({"run_in": "process"}, coroutine),
        ({"run_in": "async"}, top_level),
        ({"run_in": "moon"}, top_level),
        ({"run_in": "process"}, lambda ctx: None),
        ({}, lambda: None),
        ({}, unresolved),
    ],
)
def test_what_cannot_work_is_refused_at_the_declaration(options: dict[str, Any], handler: Any) -> None:
    registry = Registry()
    with pytest.raises(Invalid):
        registry.task(**{"name": "t"} | options)(handler)
    assert list(registry) == []


def test_a_name_has_one_handler() -> None:
    registry = Registry()
    registry.task("t")(top_level)
    registry.task("t", priority=1)(top_level)
    assert registry.get("t").priority == 1 and "t" in registry
    with pytest.raises(Conflict, match="defined by"):
        registry.task("t")(coroutine)
    with pytest.raises(NotFound, match="no handler for 'u'"):
        registry.get("u")


@pytest.mark.parametrize(
    ("short", "policy"),
    [
        (None, None),
        (30, {"kind": "fixed", "seconds": 30}),
        ([2, 4], {"kind": "list", "seconds": [2, 4]}),
        ("exponential", {"kind": "exponential"}),
        ({"kind": "fixed", "seconds": 1}, {"kind": "fixed", "seconds": 1}),
    ],
)
def test_backoffs_have_short_forms(short: Any, policy: Any) -> None:
    assert as_policy(short) == policy


@pytest.mark.parametrize("bad", [-1, [], [1, -1], ["a"], "soon", True])
def test_other_backoffs_are_refused(bad: Any) -> None:
    with pytest.raises(Invalid):
        as_policy(bad)


def test_the_agent_is_read_from_the_subject() -> None:
    uuid = "5f3c0c5e-0000-4000-8000-000000000000"
    assert str(agent_of(f"agent:{uuid}")) == uuid
    assert agent_of("agent:5") is None and agent_of("order:5") is None and agent_of(None) is None


def test_a_module_that_cannot_be_imported_is_named() -> None:
    import_modules(["json"])
    with pytest.raises(Invalid, match=r"Cannot import no_such\.tasks"):
        import_modules(["no_such.tasks"])


def test_the_package_offers_what_a_module_of_tasks_needs() -> None:
    assert service.task and service.Retry and service.Snooze and service.Fail is Fail
    with pytest.raises(AttributeError):
        _ = service.nothing
