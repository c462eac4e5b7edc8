-- How far each follower is behind the settled log, and who holds the log itself back.
--
-- lag_seconds is the age of the oldest event it has not done. held_by_pid is the server process with the oldest
-- open append, when there is one: nothing after it can be followed until it commits.
--
--   SELECT name, lag_positions, lag_seconds, held_by_pid FROM follower_lag;

CREATE VIEW follower_lag AS
SELECT f.name, f.position, s.settled,
       greatest(s.settled - f.position, 0) AS lag_positions,
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT e.recorded_at FROM events e
           WHERE e.position > f.position AND e.position <= s.settled ORDER BY e.position LIMIT 1)), 0)::double precision AS lag_seconds,
       CASE WHEN s.settled < s.head THEN (
           SELECT l.pid FROM pg_locks l
           WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.granted AND l.objsubid = 1
             AND l.classid::bigint >> 16 = fence_tag()
             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
           ORDER BY (l.classid::bigint & 65535) << 32 | l.objid::bigint LIMIT 1) END AS held_by_pid,
       f.quiet_until > f.position AS quiet,
       (SELECT count(*) FROM parked_events p WHERE p.follower = f.name) AS parked,
       f.failures, f.error, f.failed_at, f.moved_at
FROM followers f
CROSS JOIN (SELECT stable_position() AS settled, coalesce(pg_sequence_last_value('events_position'), 0) AS head) s;

COMMENT ON VIEW follower_lag IS 'How far each follower is behind the log, its errors, and who holds the log back';
