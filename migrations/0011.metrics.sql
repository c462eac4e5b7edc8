-- What metrics are read from: counts with histograms by hour, running totals of them, and what processes say
-- of themselves with each sign of life. The log is counted anew, because the counts so far lack histograms.
--
--   SELECT task_type, completed, duration_ms / nullif(completed, 0) AS mean_ms FROM task_totals WHERE NOT rewound;

ALTER TABLE task_counts
    ADD COLUMN IF NOT EXISTS rescued          bigint   NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS wait_ms          numeric  NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS duration_buckets bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS wait_buckets     bigint[] NOT NULL DEFAULT '{}',
    ALTER COLUMN duration_ms TYPE numeric;
DELETE FROM task_counts;
UPDATE followers SET quiet_until = greatest(quiet_until, position), position = 0 WHERE name = 'task_counts';

COMMENT ON COLUMN task_counts.rescued IS 'task.rescued events';
COMMENT ON COLUMN task_counts.wait_ms IS 'Time between claimable and started, summed up over the started attempts';
COMMENT ON COLUMN task_counts.duration_buckets IS 'Completed attempts by run time, between the bounds of histogram_bounds()';
COMMENT ON COLUMN task_counts.wait_buckets IS 'Started attempts by waiting time, between the same bounds';

CREATE TABLE IF NOT EXISTS task_totals (
    task_type        text     NOT NULL,
    rewound          boolean  NOT NULL,
    enqueued         bigint   NOT NULL DEFAULT 0,
    started          bigint   NOT NULL DEFAULT 0,
    completed        bigint   NOT NULL DEFAULT 0,
    retried          bigint   NOT NULL DEFAULT 0,
    failed           bigint   NOT NULL DEFAULT 0,
    timed_out        bigint   NOT NULL DEFAULT 0,
    cancelled        bigint   NOT NULL DEFAULT 0,
    rescued          bigint   NOT NULL DEFAULT 0,
    duration_ms      numeric  NOT NULL DEFAULT 0,
    wait_ms          numeric  NOT NULL DEFAULT 0,
    duration_buckets bigint[] NOT NULL DEFAULT '{}',
    wait_buckets     bigint[] NOT NULL DEFAULT '{}',
    CONSTRAINT task_totals_pkey PRIMARY KEY (task_type, rewound)
) WITH (fillfactor = 50);

COMMENT ON TABLE task_totals IS 'task_counts summed up over all hours; removing old hours leaves them as they are';
COMMENT ON COLUMN task_totals.task_type IS 'Type of the tasks';
COMMENT ON COLUMN task_totals.rewound IS 'true: the highest totals before the follower was sent back, so that a counter never goes back';
COMMENT ON COLUMN task_totals.enqueued IS 'task.enqueued events';
COMMENT ON COLUMN task_totals.started IS 'task.started events: attempts';
COMMENT ON COLUMN task_totals.completed IS 'task.completed events';
COMMENT ON COLUMN task_totals.retried IS 'task.retry_scheduled events';
COMMENT ON COLUMN task_totals.failed IS 'task.failed events';
COMMENT ON COLUMN task_totals.timed_out IS 'task.timed_out events';
COMMENT ON COLUMN task_totals.cancelled IS 'task.cancelled events';
COMMENT ON COLUMN task_totals.rescued IS 'task.rescued events';
COMMENT ON COLUMN task_totals.duration_ms IS 'Run time of the completed attempts, summed up';
COMMENT ON COLUMN task_totals.wait_ms IS 'Time between claimable and started, summed up over the started attempts';
COMMENT ON COLUMN task_totals.duration_buckets IS 'Completed attempts by run time, between the bounds of histogram_bounds()';
COMMENT ON COLUMN task_totals.wait_buckets IS 'Started attempts by waiting time, between the same bounds';

CREATE TABLE IF NOT EXISTS event_counts (
    type            text        NOT NULL,
    hour            timestamptz NOT NULL,
    events          bigint      NOT NULL DEFAULT 0,
    latency_ms      numeric     NOT NULL DEFAULT 0,
    latency_buckets bigint[]    NOT NULL DEFAULT '{}',
    CONSTRAINT event_counts_pkey PRIMARY KEY (type, hour)
);

COMMENT ON TABLE event_counts IS 'Events of webhooks, workers and schedules, by type and hour; counted by the follower event_counts';
COMMENT ON COLUMN event_counts.type IS 'Type of the events';
COMMENT ON COLUMN event_counts.hour IS 'Beginning of the hour in which they were recorded';
COMMENT ON COLUMN event_counts.events IS 'How many';
COMMENT ON COLUMN event_counts.latency_ms IS 'The latency that they tell, summed up';
COMMENT ON COLUMN event_counts.latency_buckets IS 'Events that tell a latency, between the bounds of histogram_bounds()';

CREATE TABLE IF NOT EXISTS event_totals (
    type            text     NOT NULL,
    rewound         boolean  NOT NULL,
    events          bigint   NOT NULL DEFAULT 0,
    latency_ms      numeric  NOT NULL DEFAULT 0,
    latency_buckets bigint[] NOT NULL DEFAULT '{}',
    CONSTRAINT event_totals_pkey PRIMARY KEY (type, rewound)
) WITH (fillfactor = 50);

COMMENT ON TABLE event_totals IS 'event_counts summed up over all hours; removing old hours leaves them as they are';
COMMENT ON COLUMN event_totals.type IS 'Type of the events';
COMMENT ON COLUMN event_totals.rewound IS 'true: the highest totals before the follower was sent back, so that a counter never goes back';
COMMENT ON COLUMN event_totals.events IS 'How many';
COMMENT ON COLUMN event_totals.latency_ms IS 'The latency that they tell, summed up';
COMMENT ON COLUMN event_totals.latency_buckets IS 'Events that tell a latency, between the bounds of histogram_bounds()';

ALTER TABLE workers
    ADD COLUMN IF NOT EXISTS busy_slots       integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS loop_lag_seconds real    NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS working_since    timestamptz;
CREATE INDEX IF NOT EXISTS workers_live ON workers (worker_id) WHERE status = 'live';
ALTER TABLE relays
    ADD COLUMN IF NOT EXISTS loop_lag_seconds real    NOT NULL DEFAULT 0;

COMMENT ON COLUMN workers.busy_slots IS 'Slots in use at the last sign of life';
COMMENT ON COLUMN workers.loop_lag_seconds IS 'Worst lag of its event loop between the last two signs of life';
COMMENT ON COLUMN workers.working_since IS 'Start of the attempt that ran the longest at the last sign of life; NULL when none ran';
COMMENT ON INDEX workers_live IS 'Workers that live, among all that ever did';
COMMENT ON COLUMN relays.loop_lag_seconds IS 'Worst lag of its event loop between the last two signs of life';
