"""Parameters as a handler declares them: `ctx: Context[Refresh]`, where Refresh is a model or a dataclass."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from service.errors import Invalid
from service.worker.context import BaseContext
from service.worker.outcomes import Fail


class Params:
    """The declared type of a handler's parameters."""

    def __init__(self, declared: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(declared)

    def schema(self) -> dict[str, Any]:
        """Its JSON schema, for the catalogue."""
        return self._adapter.json_schema()

    def parse(self, params: Any) -> Any:
        """What the task was enqueued with, as the declared type. Raises Fail: no attempt can succeed."""
        try:
            return self._adapter.validate_python(params)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise Fail(f"The parameters do not fit: {wrong}", reason="invalid_params") from None


def declared_params(handler: Callable[..., Any]) -> Params | None:
    """What the annotation of the first argument says; None when it says nothing. Raises Invalid."""
    arguments = list(inspect.signature(handler).parameters)
    if not arguments:
        raise Invalid(
            f"{handler.__qualname__} takes no argument.", hint="A handler takes the context: (ctx)."
        )
    try:
        annotation = get_type_hints(handler).get(arguments[0])
    except NameError as error:
        raise Invalid(
            f"The annotations of {handler.__qualname__} cannot be resolved: {error}.",
            hint="Import what they name at run time, not under TYPE_CHECKING.",
        ) from None
    origin = get_origin(annotation)
    if not (isinstance(origin, type) and issubclass(origin, BaseContext)):
        return None
    (declared,) = get_args(annotation)
    return None if declared is Any or isinstance(declared, TypeVar) else Params(declared)
