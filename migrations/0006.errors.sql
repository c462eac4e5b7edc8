-- Failures in groups: each attempt that failed keeps the fingerprint of its error.
--
-- A column and no table of groups: a row that every failing task had to update would make twenty workers
-- wait for each other, inside the append fence, when a supplier is down. The groups are counted when they
-- are asked for (functions/errors_between.sql), from this index alone.
--
-- Attempts that failed before this migration get their fingerprint by `annals audit rebuild task_attempts`.
--
--   SELECT * FROM errors ORDER BY last_seen_at DESC LIMIT 20;

ALTER TABLE task_attempts ADD COLUMN IF NOT EXISTS fingerprint text;

COMMENT ON COLUMN task_attempts.fingerprint IS 'Group of its error (functions/error_fingerprint.sql); null unless it failed or timed out';

CREATE INDEX IF NOT EXISTS task_attempts_errors ON task_attempts (fingerprint, ended_position)
    INCLUDE (task_id, outcome) WHERE fingerprint IS NOT NULL;

COMMENT ON INDEX task_attempts_errors IS 'Failed attempts by group, without a look at the table';
