-- What the relay keeps: who leads, how far each follower has come, which events it had to park, schedules.
--
--   SELECT name, position, error FROM followers;
--   SELECT name, cron, time_zone, next_due_at FROM schedules WHERE enabled;

CREATE TABLE IF NOT EXISTS relays (
    relay_id     text        NOT NULL,
    host         text        NOT NULL,
    pid          integer     NOT NULL,
    code_version text,
    started_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    CONSTRAINT relays_pkey PRIMARY KEY (relay_id)
);

COMMENT ON TABLE relays IS 'Relay processes that run; one of them leads (relay_lease)';
COMMENT ON COLUMN relays.relay_id IS 'Its name';
COMMENT ON COLUMN relays.host IS 'Host it runs on';
COMMENT ON COLUMN relays.pid IS 'Process id there';
COMMENT ON COLUMN relays.code_version IS 'Version of the code it runs';
COMMENT ON COLUMN relays.started_at IS 'When it started';
COMMENT ON COLUMN relays.seen_at IS 'Last sign of life';

-- The lease is a row and not a session lock: a session outlives its host until TCP gives it up. An effect
-- takes it FOR KEY SHARE, a renewal changes no key and so waits for no effect, a take-over takes it FOR
-- UPDATE and so comes before or after each effect of the one before, never in between.
CREATE TABLE IF NOT EXISTS relay_lease (
    only_row   boolean     NOT NULL DEFAULT true,
    holder     text,
    term       bigint      NOT NULL DEFAULT 0,
    taken_at   timestamptz,
    expires_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT relay_lease_pkey PRIMARY KEY (only_row),
    CONSTRAINT one_leader_at_a_time CHECK (only_row)
) WITH (fillfactor = 50);
INSERT INTO relay_lease DEFAULT VALUES ON CONFLICT DO NOTHING;

COMMENT ON TABLE relay_lease IS 'Which relay leads, and until when: checked in the transaction of every effect';
COMMENT ON COLUMN relay_lease.only_row IS 'Always true: one leads at a time';
COMMENT ON COLUMN relay_lease.holder IS 'The relay that leads, or led last';
COMMENT ON COLUMN relay_lease.term IS 'Counts the take-overs; an effect names the term it belongs to';
COMMENT ON COLUMN relay_lease.taken_at IS 'When this term began';
COMMENT ON COLUMN relay_lease.expires_at IS 'Another may take over from then on, in the time of the database';

CREATE TABLE IF NOT EXISTS followers (
    name        text        NOT NULL,
    position    bigint      NOT NULL,
    quiet_until bigint      NOT NULL DEFAULT 0,
    moved_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    failures    integer     NOT NULL DEFAULT 0,
    failed_at   timestamptz,
    error       text,
    CONSTRAINT followers_pkey PRIMARY KEY (name),
    CONSTRAINT follower_position_is_not_negative CHECK (position >= 0)
) WITH (fillfactor = 50);

COMMENT ON TABLE followers IS 'Checkpoints: how far each follower of the log has come';
COMMENT ON COLUMN followers.name IS 'Name of the follower';
COMMENT ON COLUMN followers.position IS 'Everything up to here is done; moves in the transaction of the effect';
COMMENT ON COLUMN followers.quiet_until IS 'Up to this position state is built, but nothing is sent again (relay rewind --no-effects)';
COMMENT ON COLUMN followers.moved_at IS 'When the checkpoint last moved';
COMMENT ON COLUMN followers.failures IS 'Failures in a row since then';
COMMENT ON COLUMN followers.failed_at IS 'When it last failed';
COMMENT ON COLUMN followers.error IS 'Why; NULL once it goes on';

CREATE TABLE IF NOT EXISTS parked_events (
    follower  text        NOT NULL,
    position  bigint      NOT NULL,
    error     text        NOT NULL,
    times     integer     NOT NULL,
    parked_at timestamptz NOT NULL,
    CONSTRAINT parked_events_pkey PRIMARY KEY (follower, position)
);

COMMENT ON TABLE parked_events IS 'Events a follower failed on and stepped over, folded from follower.* events; resumed by hand';
COMMENT ON COLUMN parked_events.follower IS 'The follower';
COMMENT ON COLUMN parked_events.position IS 'The event it failed on';
COMMENT ON COLUMN parked_events.error IS 'What went wrong';
COMMENT ON COLUMN parked_events.times IS 'How often it was parked';
COMMENT ON COLUMN parked_events.parked_at IS 'When it was parked last';

CREATE TABLE IF NOT EXISTS schedules (
    name          text        NOT NULL,
    cron          text        NOT NULL,
    time_zone     text        NOT NULL,
    task_type     text        NOT NULL,
    params        jsonb       NOT NULL,
    queue         text,
    priority      smallint,
    missed_fires  text        NOT NULL,
    enabled       boolean     NOT NULL,
    configured    jsonb,
    version       integer     NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    counts_from   timestamptz NOT NULL,
    next_due_at   timestamptz,
    last_due_at   timestamptz,
    last_fired_at timestamptz,
    last_task_id  text,
    last_error    text,
    CONSTRAINT schedules_pkey PRIMARY KEY (name),
    CONSTRAINT missed_fires_is_known CHECK (missed_fires IN ('skip', 'once'))
);

COMMENT ON TABLE schedules IS 'Tasks to enqueue at certain times, folded from schedule.* events';
COMMENT ON COLUMN schedules.name IS 'Name, part of the actor schedule:<name>';
COMMENT ON COLUMN schedules.cron IS 'Five fields: minute, hour, day of month, month, day of week';
COMMENT ON COLUMN schedules.time_zone IS 'IANA name of the zone in which the fields are meant';
COMMENT ON COLUMN schedules.task_type IS 'Type of the task that a fire enqueues';
COMMENT ON COLUMN schedules.params IS 'Its parameters';
COMMENT ON COLUMN schedules.queue IS 'Its queue; NULL: the type''s own';
COMMENT ON COLUMN schedules.priority IS 'Its priority; NULL: the type''s own';
COMMENT ON COLUMN schedules.missed_fires IS 'After a pause: skip what was missed, or fire once for all of it';
COMMENT ON COLUMN schedules.enabled IS 'Whether it fires by itself';
COMMENT ON COLUMN schedules.configured IS 'Definition last taken from the configuration; NULL when it does not come from there';
COMMENT ON COLUMN schedules.version IS 'Version of its last event; a fire names the one it was worked out from';
COMMENT ON COLUMN schedules.created_at IS 'When it was created';
COMMENT ON COLUMN schedules.changed_at IS 'When its definition last changed';
COMMENT ON COLUMN schedules.counts_from IS 'Due times after this moment count: those before are done, or were never meant';
COMMENT ON COLUMN schedules.next_due_at IS 'Next due time, where the writer of the last event knew it';
COMMENT ON COLUMN schedules.last_due_at IS 'Due time of the last fire that was not by hand';
COMMENT ON COLUMN schedules.last_fired_at IS 'When it last fired';
COMMENT ON COLUMN schedules.last_task_id IS 'The task of that fire';
COMMENT ON COLUMN schedules.last_error IS 'Why that fire enqueued nothing';

CREATE TABLE IF NOT EXISTS task_counts (
    task_type   text        NOT NULL,
    hour        timestamptz NOT NULL,
    enqueued    bigint      NOT NULL DEFAULT 0,
    started     bigint      NOT NULL DEFAULT 0,
    completed   bigint      NOT NULL DEFAULT 0,
    retried     bigint      NOT NULL DEFAULT 0,
    failed      bigint      NOT NULL DEFAULT 0,
    timed_out   bigint      NOT NULL DEFAULT 0,
    cancelled   bigint      NOT NULL DEFAULT 0,
    duration_ms bigint      NOT NULL DEFAULT 0,
    CONSTRAINT task_counts_pkey PRIMARY KEY (task_type, hour)
);

COMMENT ON TABLE task_counts IS 'What happened to tasks, by type and hour; counted by the follower task_counts';
COMMENT ON COLUMN task_counts.task_type IS 'Type of the tasks';
COMMENT ON COLUMN task_counts.hour IS 'Beginning of the hour in which it was recorded';
COMMENT ON COLUMN task_counts.enqueued IS 'task.enqueued events';
COMMENT ON COLUMN task_counts.started IS 'task.started events: attempts';
COMMENT ON COLUMN task_counts.completed IS 'task.completed events';
COMMENT ON COLUMN task_counts.retried IS 'task.retry_scheduled events: attempts that failed and are tried again';
COMMENT ON COLUMN task_counts.failed IS 'task.failed events';
COMMENT ON COLUMN task_counts.timed_out IS 'task.timed_out events';
COMMENT ON COLUMN task_counts.cancelled IS 'task.cancelled events';
COMMENT ON COLUMN task_counts.duration_ms IS 'Run time of the completed attempts, summed up';
