"""The databases that a benchmark makes on a server, and drops."""

import psycopg

QUERY = "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '_bench_%'"


def scratch_databases(dsn: str) -> set[str]:
    """Those that were made for runs on this very database; other tests make others meanwhile."""
    with psycopg.connect(dsn) as connection:
        return {str(row[0]) for row in connection.execute(QUERY)}
