"""The schema as pg_dump tells it; functions are left out, they are files of their own."""

import re
import subprocess

import psycopg
import pytest

from service.embedded.binaries import candidates
from tests.sql.snapshots import compare

EXCLUDED = ["--exclude-table=*yoyo*", "--schema=public", "--no-owner", "--no-privileges", "--schema-only"]


def test_the_schema_is_the_one_that_was_reviewed(shared_database: str) -> None:
    with psycopg.connect(shared_database) as connection:
        server = connection.info.server_version // 10000
    if server != 18:
        pytest.skip("the snapshot is of PostgreSQL 18; older servers spell some definitions differently")
    pg_dump = next(folder / "pg_dump" for folder in candidates() if (folder / "pg_dump").is_file())
    dumped = subprocess.run([pg_dump, *EXCLUDED, shared_database], capture_output=True, text=True, check=True)
    compare("schema.sql", normalised(dumped.stdout))


def normalised(dump: str) -> str:
    """Without functions, first lines of files, settings, and what changes from dump to dump."""
    quoted = r"^CREATE FUNCTION [^$;]*?AS (\$\w*\$).*?\1;$"
    for function in (quoted, r"^CREATE FUNCTION .*?;$"):
        dump = re.sub(function, "", dump, flags=re.MULTILINE | re.DOTALL)
    dump = re.sub(
        r"^COMMENT ON (?:FUNCTION|AGGREGATE|TRIGGER|VIEW) .*?';$", "", dump, flags=re.MULTILINE | re.DOTALL
    )
    lines = (line for line in dump.splitlines() if not re.match(r"--|SET |SELECT pg_catalog|\\|$", line))
    return "\n".join(lines) + "\n"
