"""The databases of the tests keep tests apart."""

from urllib.parse import urlsplit

import asyncpg
import pytest

Connection = asyncpg.Connection


async def test_a_clone_is_of_ones_own(database: str, shared_database: str) -> None:
    assert urlsplit(database).path != urlsplit(shared_database).path
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE of_my_own ()")
    await connection.close()


@pytest.mark.parametrize("time", ["first", "second"])
async def test_what_db_writes_is_rolled_back(db: "Connection[asyncpg.Record]", time: str) -> None:
    await db.execute("CREATE TABLE gone_afterwards ()")
    assert await db.fetchval("SELECT jsonb_build_object('time', $1::text)", time) == {"time": time}
