"""A database that nothing torments directly, the ledger that reads it, and how long the storm lasts."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import pytest

from tests.chaos.ledger import Ledger

# ANNALS_CHAOS=long: for an hour of the machine instead of a few seconds. The service itself refuses
# variables of its prefix that it does not know, so it must not see this one.
LONG = os.environ.pop("ANNALS_CHAOS", "") == "long"


@pytest.fixture(scope="session")
def intensity() -> int:
    """How often everything is done: 1 in the short form."""
    return 20 if LONG else 1


@pytest.fixture
async def ledger(database: str) -> AsyncIterator[Ledger]:
    """Reads the log of this test's database."""
    connection = await asyncpg.connect(database)
    yield Ledger(connection)
    await connection.close()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory for sockets, whose paths may have 107 bytes at most."""
    with TemporaryDirectory(prefix="annals-", ignore_cleanup_errors=True) as folder:
        # As root, the server runs under another account, which must be able to get here.
        os.chmod(folder, 0o755)
        yield Path(folder)
