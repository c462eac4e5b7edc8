"""Proof of the read models: verify them, rebuild them, replay a task's life.

The log is the truth, and the fold is SQL: the projection triggers of `events`. The schema `shadow` holds
empty copies of log and read models with the same triggers, so an audit folds any streams there, compares
the outcome with the real rows, and rolls back. Nothing here folds by itself.

Promised: verify is exact on a live system, because the folds are synchronous and each chunk of streams is
read in one snapshot; its memory is bounded by a chunk; it changes nothing. Rebuild holds the heads of one
chunk of streams at a time, so that writers of other streams go on.

Assumed: the role owns the tables (the shadow is emptied by TRUNCATE), on a primary; streams fit on disk
once more. Audits of one database take turns, chunk by chunk.

`annals audit at` shows the past as service.store.travel reads it: without the shadow, and without a fold of
what nothing changed since.

`annals audit export` writes the log to a file (lines, sinks, parquet), and `annals audit import` fills an
empty log from one (sources, importing). The file has events and nothing else: contents, secrets and working
state (functions/table_kinds.sql) stay where they are, also the numbers of lanes, which are a dictionary.

Faults of the log that it shows by itself (holes, order, causes, times) are found too: queries/faults.sql.

Left out: a log that was changed without contradicting itself or a read model. Only seals could show that;
`canonical` gives the bytes that they will be made of.
"""
