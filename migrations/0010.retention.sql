-- Retention: how far the log was walked for rows that are kept no longer, and what was removed.
--
--   SELECT what, removed, up_to_position, applied_at FROM retention_totals;

-- Its rows are also the lock: of two who remove the same kind of row one waits, before it locks anything else.
-- They are there from the start, because a row that is not there locks nobody out.
CREATE TABLE IF NOT EXISTS retention_marks (
    what      text   NOT NULL,
    walked_to bigint NOT NULL DEFAULT 0,
    CONSTRAINT retention_marks_pkey PRIMARY KEY (what),
    CONSTRAINT walked_to_is_not_negative CHECK (walked_to >= 0)
) WITH (fillfactor = 50);

COMMENT ON TABLE retention_marks IS 'How far retention has walked the log; nothing that changed up to there is left to remove';
COMMENT ON COLUMN retention_marks.what IS 'Kind of rows: tasks, dead_letters, attempts, coverage_history, deliveries, idempotency_keys';
COMMENT ON COLUMN retention_marks.walked_to IS 'Position in the log; not used by idempotency_keys, which have none';

CREATE TABLE IF NOT EXISTS retention_totals (
    what           text        NOT NULL,
    removed        bigint      NOT NULL,
    batches        bigint      NOT NULL,
    up_to_position bigint,
    cutoff         timestamptz NOT NULL,
    applied_at     timestamptz NOT NULL,
    CONSTRAINT retention_totals_pkey PRIMARY KEY (what)
);

COMMENT ON TABLE retention_totals IS 'What retention removed, by kind of rows, folded from retention.applied';
COMMENT ON COLUMN retention_totals.what IS 'Kind of rows';
COMMENT ON COLUMN retention_totals.removed IS 'Rows removed since the beginning';
COMMENT ON COLUMN retention_totals.batches IS 'Events retention.applied: batches that removed something';
COMMENT ON COLUMN retention_totals.up_to_position IS 'Rows last changed up to this position are gone; NULL for idempotency_keys';
COMMENT ON COLUMN retention_totals.cutoff IS 'What had last changed by this time was to go, in the last batch';
COMMENT ON COLUMN retention_totals.applied_at IS 'When the last batch was removed';

-- The batch that covers a position of the log: the first of its kind that reaches as far.
CREATE INDEX IF NOT EXISTS events_retained ON events ((data ->> 'what'), ((data ->> 'up_to_position')::bigint))
    WHERE type = 'retention.applied';
-- The batches of a stretch of the log.
CREATE INDEX IF NOT EXISTS events_retention ON events (position) WHERE type = 'retention.applied';
CREATE INDEX IF NOT EXISTS idempotency_keys_created_at ON idempotency_keys (created_at);

COMMENT ON INDEX events_retained IS 'Batches of retention, by kind of rows and how far they reach';
COMMENT ON INDEX events_retention IS 'Batches of retention, by position';
COMMENT ON INDEX idempotency_keys_created_at IS 'Oldest first, for retention';

-- Going down takes the tables, not the log.
INSERT INTO retention_totals (what, removed, batches, up_to_position, cutoff, applied_at)
SELECT e.stream_id, sum((e.data ->> 'removed')::bigint), count(*), max((e.data ->> 'up_to_position')::bigint),
       (array_agg((e.data ->> 'cutoff')::timestamptz ORDER BY e.version DESC))[1], max(e.recorded_at)
FROM events e WHERE e.stream_type = 'retention' AND e.type = 'retention.applied' GROUP BY e.stream_id
ON CONFLICT DO NOTHING;

INSERT INTO retention_marks (what, walked_to)
SELECT w.what, coalesce((SELECT t.up_to_position FROM retention_totals t WHERE t.what = w.what), 0)
FROM unnest('{tasks,dead_letters,attempts,coverage_history,deliveries,idempotency_keys}'::text[]) AS w (what)
ON CONFLICT DO NOTHING;
