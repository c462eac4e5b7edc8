"""One scene for all SQL tests of a module; what a test writes is rolled back."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.sql.scene import build


@pytest.fixture(scope="module")
def scene(module_database: str) -> str:
    """The DSN of a clone with the scene built in it."""
    build(module_database)
    return module_database


@pytest.fixture
def connection(scene: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(scene, autocommit=True) as connection:
        yield connection
