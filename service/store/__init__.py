"""The only package that talks to PostgreSQL: connections, one method per SQL function, the log, wake-ups.

**What it promises.** Nothing here decides anything about a task: it moves arguments and rows, and turns
database errors into service.errors. A batch is one round trip. What is read as an event of the log is
settled, in order and complete, unless a method says otherwise. Wake-ups survive lost connections; rings
come after the commit and are coalesced. `migrate` may run beside running workers, and twice.

**What it assumes.** Writes are SQL functions (migrations/functions); reads are `queries/*.sql`, one
statement a file, the file's name its name. LISTEN and migrations need a direct connection
(database.listen_url), the rest may go through a transaction pooler (database.statement_cache_size = 0).

**What it leaves out.** It sends no statement again: after DatabaseUnavailable it may have been executed,
and the caller knows whether to repeat it (a lease and an idempotency key make that safe). Transactions of
several statements belong to the SQL functions.

Modules, from the bottom: errors, wire, queries, pool, paging, background | tasks, log, fleet, keys, travel,
schema | doorbell, wakeups | grouping, client | connecting, numbered, objects, migrate | console, psql,
commands, task_commands, event_commands.
"""
