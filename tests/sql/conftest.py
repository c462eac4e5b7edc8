"""One scene for all SQL tests of a module; what a test writes is rolled back."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.sql.scene import build

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture(scope="module")
def module_database(server: "Server", template: str) -> Iterator[str]:
    """The DSN of a clone that all tests of a module share."""
    name = f"{template.replace('template', 'test')}_{uuid.uuid4().hex[:12]}"
    server.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield server.dsn(name)
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)


@pytest.fixture(scope="module")
def scene(module_database: str) -> str:
    """The DSN of a clone with the scene built in it."""
    build(module_database)
    return module_database


@pytest.fixture
def connection(scene: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(scene, autocommit=True) as connection:
        yield connection
