"""The only package that talks to PostgreSQL: connections, one method per SQL function, the log, wake-ups.

Writes are SQL functions (migrations/functions); reads are `queries/*.sql`, one statement a file. Nothing here
decides anything about a task: it moves arguments and rows, and turns database errors into service.errors.
"""
