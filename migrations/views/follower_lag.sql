-- How far each follower is behind the settled log, and who holds the log itself back.
--
-- lag_seconds is the age of the oldest event it has not done. held_by_pid is the server process with the oldest
-- open append, when it keeps followers from what comes after: see open_appends.
--
--   SELECT name, lag_positions, lag_seconds, held_by_pid FROM follower_lag;

CREATE VIEW follower_lag AS
SELECT f.name, f.position, s.settled,
       greatest(s.settled - f.position, 0) AS lag_positions,
       coalesce(extract(epoch FROM clock_timestamp() - (
           SELECT e.recorded_at FROM events e
           WHERE e.position > f.position AND e.position <= s.settled ORDER BY e.position LIMIT 1)), 0)::double precision AS lag_seconds,
       (SELECT o.pid FROM open_appends o WHERE o.held_position <= s.settled ORDER BY o.held_position LIMIT 1) AS held_by_pid,
       f.quiet_until > f.position AS quiet,
       (SELECT count(*) FROM parked_events p WHERE p.follower = f.name) AS parked,
       f.failures, f.error, f.failed_at, f.moved_at
FROM followers f
CROSS JOIN (SELECT stable_position() AS settled) s;

COMMENT ON COLUMN follower_lag.name IS 'Name of the follower';
COMMENT ON COLUMN follower_lag.position IS 'Everything up to here is done';
COMMENT ON COLUMN follower_lag.settled IS 'Settled end of the log: as far as it can come now';
COMMENT ON COLUMN follower_lag.lag_positions IS 'Positions in between';
COMMENT ON COLUMN follower_lag.lag_seconds IS 'Age of the oldest event that it has not done';
COMMENT ON COLUMN follower_lag.held_by_pid IS 'Server process whose open transaction holds all followers at the settled end';
COMMENT ON COLUMN follower_lag.quiet IS 'It was rewound without effects, and is not yet where it was';
COMMENT ON COLUMN follower_lag.parked IS 'Events it failed on and stepped over';
COMMENT ON COLUMN follower_lag.failures IS 'Failures in a row';
COMMENT ON COLUMN follower_lag.error IS 'Why; NULL while it goes on';
COMMENT ON COLUMN follower_lag.failed_at IS 'When it last failed';
COMMENT ON COLUMN follower_lag.moved_at IS 'When its checkpoint last moved';
