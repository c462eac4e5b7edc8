"""The OpenAPI 3.1 document, made from the route table and the JSON schemas that pydantic gives its models."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from service import __version__
from service.api.problems import Problem
from service.api.routing import Route

REFERENCE = "#/components/schemas/{model}"
DESCRIPTION = """Background tasks on PostgreSQL, with a complete record of everything that happened to them.

Every request but the documentation and the health checks needs an API key, in `X-API-Key` or as a bearer
token. Errors are `application/problem+json`. A write answers with the header `X-Position`: its logged place.
A POST may carry an `Idempotency-Key`: repeated within 24 hours with the same body, it is answered as before.
"""
WRITES = {"POST", "PUT", "PATCH", "DELETE"}

Json = dict[str, Any]
References = dict[tuple[type[BaseModel], JsonSchemaMode], Json]


def document(routes: Sequence[Route]) -> Json:
    """The whole document as JSON values; the same table gives the same document."""
    schemas, components = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Annals", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security_schemes()},
    }


def text(routes: Sequence[Route]) -> str:
    """The document as indented JSON text."""
    return json.dumps(document(routes), indent=2, ensure_ascii=False) + "\n"


def _schemas(routes: Sequence[Route]) -> tuple[References, Json]:
    """A reference per model and mode, and the schemas referred to."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    for route in routes:
        wanted += [(route.body, "validation")] if route.body else []
        wanted += [(route.response, "serialization")] if route.response else []
    unique = list(dict.fromkeys(wanted))
    references, definitions = models_json_schema(unique, ref_template=REFERENCE)
    return {(model, mode): references[model, mode] for model, mode in unique}, dict(
        sorted(definitions.get("$defs", {}).items())
    )


def _operation(route: Route, schemas: References) -> Json:
    operation: Json = {"summary": route.summary, "operationId": operation_id(route)}
    if route.description:
        operation["description"] = route.description
    if route.tags:
        operation["tags"] = list(route.tags)
    if parameters := _parameters(route):
        operation["parameters"] = parameters
    if route.body:
        content: Json = {"schema": schemas[(route.body, "validation")]}
        if route.example is not None:
            content["example"] = dict(route.example)
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {"application/json": content},
        }
    operation["responses"] = _responses(route, schemas)
    operation["security"] = [] if route.scope is None else [{"key": []}, {"bearer": []}]
    if route.scope:
        operation["x-scope"] = route.scope
    return operation


def operation_id(route: Route) -> str:
    """A name for generated clients: the handler's, which is unique within a tag."""
    return "_".join([*(tag.replace(" ", "_") for tag in route.tags[:1]), route.handler.__name__])


def _parameters(route: Route) -> list[Json]:
    found = [*_fields(route.params, "path"), *_fields(route.query, "query")]
    if route.takes_idempotency_key:
        schema = {"type": "string", "minLength": 1, "maxLength": 200}
        description = "Makes it safe to repeat this request for 24 hours."
        found.append(
            {"name": "Idempotency-Key", "in": "header", "description": description, "schema": schema}
        )
    return found


def _fields(model: type[BaseModel] | None, place: str) -> list[Json]:
    """The fields of a model as parameters; such models are flat, so their schemas stand in place."""
    if model is None:
        return []
    schema = model.model_json_schema(ref_template=REFERENCE)
    required = set(schema.get("required", []))
    parameters = []
    for name, inner in schema["properties"].items():
        inner = {key: value for key, value in inner.items() if key != "title"}
        parameter: Json = {"name": name, "in": place, "required": place == "path" or name in required}
        if description := inner.pop("description", None):
            parameter["description"] = description
        parameters.append(parameter | {"schema": inner})
    return parameters


def _responses(route: Route, schemas: References) -> Json:
    status = route.status if route.response or route.stream or route.text or route.status != 200 else 204
    success: Json = {"description": HTTPStatus(status).phrase}
    if route.stream:
        success["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif route.text:
        success["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif route.response:
        content: Json = {"schema": schemas[(route.response, "serialization")]}
        if route.response_example is not None:
            content["example"] = dict(route.response_example)
        success["content"] = {"application/json": content}
    if route.method in WRITES and not route.stream:
        position = {"description": "Position of the last event written.", "schema": {"type": "integer"}}
        success["headers"] = {"X-Position": position}
    elif route.query and "at" in route.query.model_fields:
        position = {"description": "With `at`: the position answered.", "schema": {"type": "integer"}}
        success["headers"] = {"X-Position": position}
    problem = {"application/problem+json": {"schema": schemas[(Problem, "serialization")]}}
    errors = sorted({*route.errors, *_usual_errors(route)})
    return {str(status): success} | {
        str(error): {"description": HTTPStatus(error).phrase, "content": problem} for error in errors
    }


def _usual_errors(route: Route) -> set[int]:
    usual = {503} if route.path.startswith("/api/") else set()
    usual |= {401, 403} if route.scope else set()
    usual |= {422} if route.params or route.query or route.body else set()
    usual |= {413} if route.body else set()
    return usual | ({409} if route.takes_idempotency_key else set())


def _security_schemes() -> Json:
    return {
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
    }
