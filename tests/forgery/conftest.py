"""A database of a module's own, for forgers, who own the tables: triggers and constraints off."""

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Server


@pytest.fixture(scope="module")
def forged_database(server: "Server", template: str) -> Iterator[str]:
    """The DSN of a clone that all tests of a module share."""
    name = f"{template.replace('template', 'test')}_{uuid.uuid4().hex[:12]}"
    server.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield server.dsn(name)
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)
