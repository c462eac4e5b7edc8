ALTER TABLE relays DROP COLUMN IF EXISTS loop_lag_seconds;
DROP INDEX IF EXISTS workers_live;
ALTER TABLE workers DROP COLUMN IF EXISTS working_since, DROP COLUMN IF EXISTS loop_lag_seconds, DROP COLUMN IF EXISTS busy_slots;
DROP TABLE IF EXISTS event_totals;
DROP TABLE IF EXISTS event_counts;
DROP TABLE IF EXISTS task_totals;
ALTER TABLE task_counts
    DROP COLUMN IF EXISTS wait_buckets, DROP COLUMN IF EXISTS duration_buckets,
    DROP COLUMN IF EXISTS wait_ms, DROP COLUMN IF EXISTS rescued,
    ALTER COLUMN duration_ms TYPE bigint;
