"""Whether a database has the tables of this release, as any process may ask over its own connections.

The migrator's drivers are not needed for it: they would be a tenth of an API process's memory.
"""

from service.resources import migrations_dir
from service.store.pool import Querying
from service.store.queries import load

SQL = load(__package__, "queries/schema")


def known_migrations() -> list[str]:
    """The ids of this release's migrations, in order."""
    files = migrations_dir().glob("[0-9]*.sql")
    return sorted(path.stem for path in files if not path.name.endswith(".rollback.sql"))


async def pending_migrations(db: Querying) -> list[str]:
    """The numbered migrations that are still to be applied; none of a database that is ahead of this release.

    Functions that differ do not matter: while a release is rolled out, the newer ones serve the older too.
    Raises DatabaseUnavailable.
    """
    known = known_migrations()
    if not await db.fetchval(SQL.is_migrated):
        return known
    applied = {row[0] for row in await db.fetch(SQL.applied_migrations)}
    return [name for name in known if name not in applied] if applied <= set(known) else []
