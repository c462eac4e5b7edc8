"""The PostgreSQL server of the default: no database to install, no port to choose.

    with attach(Path("var")) as server:
        asyncpg.connect(server.dsn)

**What it promises.** Any number of processes may attach to one home at once: one cluster is made, one
server runs, and it stops shortly after the last of them has gone, however it went. A killed process of any
kind costs no committed transaction: a holder's lock goes with it; a killed server is restarted (crash
recovery); a server whose supervisor was killed goes on, and a new supervisor takes it over.

**How.** A detached *supervisor* process owns `postgres` as its child, so that a dead server is reaped and
can be restarted. Every user of the server is a *holder*: it keeps a shared lock (flock) on one file. The
supervisor tries to take that lock alone; when it can, nobody holds the server, and after a linger time it
stops the server while it keeps the lock, so that newcomers wait for the end and then start afresh. Another
lock, held by the supervisor for life, tells whether there is one. Both are dropped by the kernel with the
process, so there is no pid to be reused and no count to be corrected. Each holder has a thread that looks
twice a second whether the supervisor lives, and starts another one if not.

An orphaned server is taken over rather than made to die with its supervisor: its users notice nothing. The
new supervisor cannot reap it, so one that dies afterwards may stay a zombie for as long as PID 1 pleases;
PostgreSQL is told that such a number in its pid file is stale (see programs.py), as is one that an
unrelated process has got. postmaster.pid itself is never deleted. What can stay behind is a server whose
supervisor and holders were all killed at once: the next attach takes it over.

**As root.** PostgreSQL refuses to run as root, so the server runs as the owner of the data, of the home, or
as an account that exists (account.py); data and programs go where that account can reach them (place.py,
reach.py). Root never writes inside a directory that belongs to the account.

**Who may connect.** Anybody who can reach the socket: it lies in a directory private to the account that
runs the server (and root). Over TCP, which is off unless asked for and then only on 127.0.0.1, the role
`annals` with the password in `postgres/password`. That role owns the database `annals`, may make databases
and roles, and is no superuser.

**What it leaves out.** Windows (set DATABASE_URL there), replication, upgrades between major versions.

Modules, from the bottom: errors, files, locks, state, account, place (directories), sockets | binaries
(which programs), reach and nameless (programs the account can run), programs, configuration, cluster
(initdb), postmaster, launch, keeper, supervisor (the process) | server, starter, attach (its users).
"""

import sys

from service.errors import DatabaseUnavailable

if sys.platform == "win32":
    raise DatabaseUnavailable(
        "The embedded server does not run on Windows.", hint="Set DATABASE_URL to a PostgreSQL server."
    )

from service.embedded.attach import attach
from service.embedded.errors import EmbeddedError
from service.embedded.server import Server

__all__ = ["EmbeddedError", "Server", "attach"]
