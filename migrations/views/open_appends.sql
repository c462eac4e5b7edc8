-- Open transactions that have appended to the log: each holds all followers at the position before its own first.
--
-- One that stays open is somebody's forgotten BEGIN, or a program that waits inside a transaction. Sessions of
-- other roles show no query unless the reader is a member of pg_read_all_stats.
--
--   SELECT pid, role, open_for, query FROM open_appends ORDER BY held_position;

CREATE VIEW open_appends AS
SELECT l.pid, a.usename AS role, a.application_name, clock_timestamp() - a.xact_start AS open_for, a.state,
       (l.classid::bigint & 65535) << 32 | l.objid::bigint AS held_position, a.query
FROM pg_locks l
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.objsubid = 1
  AND l.classid::bigint >> 16 = fence_tag()
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());

COMMENT ON COLUMN open_appends.pid IS 'Its server process; pg_terminate_backend(pid) ends it';
COMMENT ON COLUMN open_appends.role IS 'Role it logged in as';
COMMENT ON COLUMN open_appends.application_name IS 'What it calls itself';
COMMENT ON COLUMN open_appends.open_for IS 'Age of the transaction';
COMMENT ON COLUMN open_appends.state IS 'active, or idle in transaction';
COMMENT ON COLUMN open_appends.held_position IS 'No follower passes this position while it is open';
COMMENT ON COLUMN open_appends.query IS 'Its last statement';
