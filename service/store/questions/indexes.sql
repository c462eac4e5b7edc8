-- What does each index cost, and who uses it?
SELECT s.relname AS "table", s.indexrelname AS index, pg_size_pretty(pg_relation_size(s.indexrelid)) AS size, s.idx_scan AS scans,
       obj_description(s.indexrelid, 'pg_class') AS what_for
FROM pg_stat_user_indexes s
WHERE s.schemaname = 'public'
ORDER BY pg_relation_size(s.indexrelid) DESC, s.indexrelname
LIMIT 20;
