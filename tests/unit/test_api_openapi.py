"""The OpenAPI document: valid, complete, and seen to move."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.__main__ import SUBJECTS
from service.api import docs, openapi
from service.api.app import ROUTES
from service.api.routing import Route
from service.cli import Context
from tests.sql.snapshots import is_writing

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "openapi.json"


@pytest.fixture(scope="module")
def routes() -> list[Route]:
    return [*Context({}, lambda _: pytest.fail("no server"), SUBJECTS).routes(), *ROUTES]


@pytest.fixture(scope="module")
def document(routes: list[Route]) -> dict[str, Any]:
    return openapi.document(routes)


def test_it_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_as_it_was(routes: list[Route]) -> None:
    """Moved on purpose? ANNALS_SNAPSHOTS=write writes it anew, and a review sees the difference."""
    text = openapi.text(routes)
    if is_writing():
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert text == SNAPSHOT.read_text(encoding="utf-8")


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from schemas(inner)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = document["components"]["schemas"]
    for schema in schemas(document):
        if isinstance(name := schema.get("$ref"), str):
            assert name.removeprefix("#/components/schemas/") in known


def test_every_body_has_an_example_that_its_model_takes(routes: list[Route]) -> None:
    for route in routes:
        if route.body and not route.body_optional:
            assert route.example is not None, route.name
        if route.body and route.example is not None:
            route.body.model_validate_json(json.dumps(route.example), strict=True)


def test_what_a_caller_may_send_beside_the_body_is_told(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/api/v1/tasks"]["get"]["parameters"]
    assert {"type", "status", "queue", "subject", "from", "to", "text"} <= {
        each["name"] for each in parameters
    }
    create = document["paths"]["/api/v1/tasks"]["post"]
    assert [each["name"] for each in create["parameters"]] == ["Idempotency-Key"]
    assert {"202", "401", "403", "409", "413", "422", "503"} <= set(create["responses"])


def test_the_page_fetches_nothing_from_elsewhere() -> None:
    page, script = (docs.STATIC / "docs.html").read_text(), (docs.STATIC / "docs.js").read_text()
    assert "//" not in page.replace("<!doctype", "") and "http" not in script
    assert "validatorUrl: null" in script
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js", "favicon-32x32.png"):
        assert f"/docs/{name}" in page and name in docs.SERVED
