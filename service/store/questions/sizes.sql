-- How big are the tables?
SELECT s.relname AS "table", s.n_live_tup AS rows_about, s.n_dead_tup AS dead, pg_size_pretty(pg_table_size(s.relid)) AS data,
       pg_size_pretty(pg_indexes_size(s.relid)) AS indexes, s.last_autovacuum::timestamptz(0)
FROM pg_stat_user_tables s
WHERE s.schemaname = 'public'
ORDER BY pg_total_relation_size(s.relid) DESC
LIMIT 12;
