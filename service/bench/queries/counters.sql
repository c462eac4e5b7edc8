-- What the server has counted so far: bytes of WAL of the whole cluster, and this database's transactions and rows.
SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint AS wal_bytes,
       d.xact_commit + d.xact_rollback AS transactions,
       (SELECT coalesce(sum(t.n_tup_ins + t.n_tup_upd + t.n_tup_del), 0)::bigint FROM pg_stat_user_tables t) AS row_writes
FROM pg_stat_database d
WHERE d.datname = current_database()
