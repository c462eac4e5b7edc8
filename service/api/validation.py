"""Path, query and body of a request into a route's models; whatever does not fit is one `Rejected`."""

import math
import re
from typing import Any, get_origin

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import from_json

from service.api.routing import Route
from service.errors import Invalid

# What JSON, or this parser of it, allows and jsonb does not: looked for only where a body may hold it.
SUSPICIOUS = re.compile(rb"\\u0000|NaN|Infinity|[eE]\+?\d{3}")
MESSAGES = {"extra_forbidden": "There is no such field here.", "missing": "This field is required."}
MOST_ERRORS = 20


class Rejected(Invalid):
    """A request does not fit its route; `errors` says where and how, one {"at", "message"} for each place."""

    def __init__(self, errors: list[dict[str, str]]) -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{first['at']}: {first['message']}{more}")
        self.errors = errors[:MOST_ERRORS]


def parse_params(route: Route, http: web.Request) -> BaseModel | None:
    """The placeholders of the path. Raises Rejected."""
    if route.params is None:
        return None
    return _validated("path", route.params, dict(http.match_info))


def parse_query(route: Route, http: web.Request) -> BaseModel | None:
    """The query string. Raises Rejected, also for names that are not known or given twice."""
    if route.query is None and not http.query_string:
        return None
    ticketless = {name for name in http.query if not (route.stream and name == "ticket")}
    if route.query is None:
        if ticketless:
            raise Rejected(
                [_error(f"query.{name}", "This route takes no query.") for name in sorted(ticketless)]
            )
        return None
    fields = {field.alias or name: field for name, field in route.query.model_fields.items()}
    values = {name: _values(fields.get(name), http.query, name) for name in ticketless}
    return _validated("query", route.query, values)


def parse_body(route: Route, raw: bytes) -> BaseModel | None:
    """The JSON body, strictly: no number in quotes, no NaN, no NUL character. Raises Rejected."""
    if route.body is None:
        if raw.strip() not in (b"", b"{}"):
            raise Rejected([_error("body", "This route takes no body.")])
        return None
    if route.body_optional and not raw.strip():
        raw = b"{}"
    try:
        if SUSPICIOUS.search(raw):
            _refuse_unstorable(from_json(raw), "body")
        return route.body.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise Rejected(_explain("body", error)) from None
    except ValueError as error:
        raise Rejected([_error("body", f"This is not JSON: {error}")]) from None


def _validated(place: str, model: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    for name, value in values.items():
        _refuse_unstorable(value, f"{place}.{name}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Rejected(_explain(place, error)) from None


def _values(field: FieldInfo | None, query: MultiMapping[str], name: str) -> Any:
    values = query.getall(name)
    if field is not None and get_origin(field.annotation) in (list, tuple):
        return values
    if len(values) > 1:
        raise Rejected([_error(f"query.{name}", "Give this once.")])
    return values[0]


def _refuse_unstorable(value: JsonValue, at: str) -> None:
    """Refuse what a database of UTF-8 text and finite numbers cannot hold."""
    if isinstance(value, str):
        if "\0" in value:
            raise Rejected([_error(at, "Text must not hold the character NUL.")])
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Rejected([_error(at, "Numbers must be finite.")])
    elif isinstance(value, dict):
        for name, inner in value.items():
            _refuse_unstorable(name, at)
            _refuse_unstorable(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_unstorable(inner, f"{at}.{index}")


def _explain(place: str, error: ValidationError) -> list[dict[str, str]]:
    """Pydantic's errors without the values, which may be secrets."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [_error(_dotted(place, each["loc"]), _message(each["type"], each["msg"])) for each in found]


def _message(kind: str, message: str) -> str:
    if kind == "json_invalid":
        return f"This is not JSON: {message.removeprefix('Invalid JSON: ')}."
    return MESSAGES.get(kind) or f"{message.removeprefix('Value error, ').rstrip('.')}."


def _dotted(place: str, parts: tuple[int | str, ...]) -> str:
    return ".".join([place, *map(str, parts)])


def _error(at: str, message: str) -> dict[str, str]:
    return {"at": at, "message": message}
