"""Agents and their coverage: how much of a part of a taxonomy is backed by documents.

Promised: a measurement counts each node of the scope once and each document once per node; it is rounded
once, before anything stores it, so a task's result and the history agree to the digit; it stops at a
cancellation between two chunks of nodes. Measured in the background (`handlers`) or in the request itself
(`refresh_routes`), it leaves the same events.

Assumed: documents may come while a measurement runs. Its chunks are statements of their own and see each what
is there at that moment, because one snapshot for all of them would hold back the cleaning of the whole
database. Left out: embeddings; queries are the full text search of PostgreSQL.
"""
