-- The queue's read models: background_tasks (also the claim table), task_attempts, and the
-- dictionary of lanes.
--
-- Column order is deliberate: what never changes stands first, what changes together stands
-- together, so that an UPDATE on the same page logs only the bytes in between. fillfactor leaves
-- room for that.
--
--   SELECT task_id, status, progress_percentage FROM background_tasks ORDER BY created_at DESC LIMIT 20;

-- A lane is what a claim scans: queue, priority class and limit group, interned to two bytes.
-- A dictionary, not a read model: rows are added on first use and never change.
CREATE TABLE IF NOT EXISTS lanes (
    lane        smallint GENERATED ALWAYS AS IDENTITY,
    queue       text     NOT NULL,
    class       smallint NOT NULL,
    limit_group text     NOT NULL DEFAULT '',
    CONSTRAINT lanes_pkey PRIMARY KEY (lane),
    CONSTRAINT one_lane_per_queue_class_and_group UNIQUE (queue, class, limit_group),
    CONSTRAINT class_is_high_medium_or_low CHECK (class BETWEEN 1 AND 3)
);

COMMENT ON TABLE lanes IS 'Dictionary of (queue, priority class, limit group); claims scan lane by lane';
COMMENT ON COLUMN lanes.lane IS 'Small number that stands for the three';
COMMENT ON COLUMN lanes.queue IS 'Queue name';
COMMENT ON COLUMN lanes.class IS '1 high (priority 1-3), 2 medium (4-7), 3 low (8-10)';
COMMENT ON COLUMN lanes.limit_group IS 'Group whose slots are counted together; empty without a limit';

CREATE SEQUENCE IF NOT EXISTS task_number AS bigint START 100000000;

CREATE TABLE IF NOT EXISTS background_tasks (
    enqueued_position      bigint      NOT NULL,
    created_at             timestamptz NOT NULL,
    agent_id               uuid,
    timeout_seconds        real        NOT NULL,
    lane                   smallint    NOT NULL,
    priority               smallint    NOT NULL,
    max_attempts           smallint    NOT NULL,
    failures               smallint    NOT NULL DEFAULT 0,
    rescues                smallint    NOT NULL DEFAULT 0,
    webhook_retry_count    smallint    NOT NULL DEFAULT 0,
    queued_position        bigint      NOT NULL,
    run_at                 timestamptz,
    task_id                text        NOT NULL,
    task_type              text        NOT NULL,
    queue                  text        NOT NULL,
    subject                text,
    unique_key             text,
    webhook_url            text,
    correlation_id         text,
    attempt                integer     NOT NULL DEFAULT 0,
    started_position       bigint,
    started_at             timestamptz,
    worker_id              text,
    cancellation_requested boolean     NOT NULL DEFAULT false,
    status                 text        NOT NULL,
    version                integer     NOT NULL,
    lease                  integer,
    ready_position         bigint,
    changed_position       bigint      NOT NULL,
    progress_percentage    real        NOT NULL DEFAULT 0,
    completed_at           timestamptz,
    step                   text,
    checkpoint             jsonb,
    result                 jsonb,
    error                  text,
    CONSTRAINT background_tasks_pkey PRIMARY KEY (task_id),
    -- Literals of the compared type: a list, or a number that is cast, is computed anew for each statement that inserts.
    CONSTRAINT status_is_known CHECK (status = ANY ('{pending,running,completed,failed,cancelled,timeout}'::text[])),
    CONSTRAINT lease_iff_running CHECK ((lease IS NOT NULL) = (status = 'running')),
    CONSTRAINT ready_only_while_pending CHECK (ready_position IS NULL OR status = 'pending'),
    CONSTRAINT priority_is_1_to_10 CHECK (priority BETWEEN 1 AND 10),
    CONSTRAINT progress_is_a_percentage CHECK (progress_percentage BETWEEN '0'::real AND '100'::real),
    CONSTRAINT coverage_tasks_name_their_agent CHECK (task_type <> 'coverage_refresh' OR agent_id IS NOT NULL)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

COMMENT ON TABLE background_tasks IS 'State of every task, folded from the log; also the table that claims scan';
COMMENT ON COLUMN background_tasks.enqueued_position IS 'Position of the task.enqueued event, which keeps params, backoff and trace';
COMMENT ON COLUMN background_tasks.created_at IS 'When the task was enqueued';
COMMENT ON COLUMN background_tasks.agent_id IS 'Agent of a coverage task; null for other subjects';
COMMENT ON COLUMN background_tasks.timeout_seconds IS 'Deadline of one attempt';
COMMENT ON COLUMN background_tasks.lane IS 'Queue, priority class and limit group as one number (table lanes)';
COMMENT ON COLUMN background_tasks.priority IS '1 (first) to 10 (last)';
COMMENT ON COLUMN background_tasks.max_attempts IS 'Failures after which the task is given up';
COMMENT ON COLUMN background_tasks.failures IS 'Attempts that failed or timed out since the last retry by hand';
COMMENT ON COLUMN background_tasks.rescues IS 'Times the task was taken from a dead worker since the last retry by hand';
COMMENT ON COLUMN background_tasks.webhook_retry_count IS 'Failed webhook attempts of the task';
COMMENT ON COLUMN background_tasks.queued_position IS 'Position of the event that queued the current attempt: its seniority';
COMMENT ON COLUMN background_tasks.run_at IS 'Not before this time; null when it was claimable at once';
COMMENT ON COLUMN background_tasks.task_id IS 'Identity of the task, also its stream in the log';
COMMENT ON COLUMN background_tasks.task_type IS 'Kind of work; names the handler';
COMMENT ON COLUMN background_tasks.queue IS 'Queue the task waits in';
COMMENT ON COLUMN background_tasks.subject IS 'What the task is about, as <noun>:<id>';
COMMENT ON COLUMN background_tasks.unique_key IS 'At most one task with this key in the statuses its enqueue named';
COMMENT ON COLUMN background_tasks.webhook_url IS 'Told when the task ends';
COMMENT ON COLUMN background_tasks.correlation_id IS 'Request that enqueued it; on every event of the task';
COMMENT ON COLUMN background_tasks.attempt IS 'Runs so far, counted by task.started';
COMMENT ON COLUMN background_tasks.started_position IS 'Position of the last task.started event';
COMMENT ON COLUMN background_tasks.started_at IS 'Start of the last attempt';
COMMENT ON COLUMN background_tasks.worker_id IS 'Worker of the last attempt';
COMMENT ON COLUMN background_tasks.cancellation_requested IS 'A cancel arrived while it ran';
COMMENT ON COLUMN background_tasks.status IS 'pending, running, completed, failed, cancelled or timeout';
COMMENT ON COLUMN background_tasks.version IS 'Version of the last event of the task''s stream';
COMMENT ON COLUMN background_tasks.lease IS 'Version of the task.started event while it runs: the right to finish it';
COMMENT ON COLUMN background_tasks.ready_position IS 'Place in the lane; null while it waits for run_at or does not wait';
COMMENT ON COLUMN background_tasks.changed_position IS 'Position of the last event of the task; from there on the row was always as it is';
COMMENT ON COLUMN background_tasks.progress_percentage IS '0 to 100, as the handler reported';
COMMENT ON COLUMN background_tasks.completed_at IS 'When it reached a terminal status';
COMMENT ON COLUMN background_tasks.step IS 'What the handler said it is doing';
COMMENT ON COLUMN background_tasks.checkpoint IS 'What the handler saved for its next attempt';
COMMENT ON COLUMN background_tasks.result IS 'What the handler returned';
COMMENT ON COLUMN background_tasks.error IS 'Last error, in one message';

-- Claim, index 1: what is claimable now, in the order in which it became so (NULL, and so last, while
-- it waits for a time). Its predicate makes it the index of status = 'pending' as well.
CREATE INDEX IF NOT EXISTS background_tasks_pending ON background_tasks (lane, ready_position) WHERE status = 'pending';
-- Claim, index 2: tasks that wait for a time.
CREATE INDEX IF NOT EXISTS background_tasks_due ON background_tasks (lane, run_at) WHERE status = 'pending' AND ready_position IS NULL;
CREATE INDEX IF NOT EXISTS background_tasks_unique_key ON background_tasks (unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS background_tasks_subject ON background_tasks (subject) WHERE subject IS NOT NULL;
-- The indexes the customer names.
CREATE INDEX IF NOT EXISTS background_tasks_agent_id ON background_tasks (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS background_tasks_status ON background_tasks (status, started_position) WHERE status NOT IN ('pending', 'completed');
CREATE INDEX IF NOT EXISTS background_tasks_created_at ON background_tasks (created_at DESC);
CREATE INDEX IF NOT EXISTS background_tasks_agent_id_status ON background_tasks (agent_id, status) WHERE agent_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS task_attempts (
    started_position bigint           NOT NULL,
    ended_position   bigint           NOT NULL,
    queued_position  bigint           NOT NULL,
    started_at       timestamptz      NOT NULL,
    ended_at         timestamptz      NOT NULL,
    duration_ms      real NOT NULL,
    attempt          integer          NOT NULL,
    task_id          text             NOT NULL,
    task_type        text             NOT NULL,
    outcome          text             NOT NULL,
    worker_id        text             NOT NULL,
    error_type       text,
    error_message    text,
    CONSTRAINT task_attempts_pkey PRIMARY KEY (task_id, attempt),
    CONSTRAINT outcome_is_known CHECK (outcome IN
        ('completed', 'failed', 'timeout', 'cancelled', 'retry_scheduled', 'snoozed', 'released', 'rescued'))
);

COMMENT ON TABLE task_attempts IS 'One row for each ended attempt, written once, folded from the log; task_execution_logs adds the open ones';
COMMENT ON COLUMN task_attempts.started_position IS 'Position of its task.started event';
COMMENT ON COLUMN task_attempts.ended_position IS 'Position of the event that ended it; that event holds the traceback';
COMMENT ON COLUMN task_attempts.queued_position IS 'Position of the event that queued it';
COMMENT ON COLUMN task_attempts.started_at IS 'When a worker claimed it';
COMMENT ON COLUMN task_attempts.ended_at IS 'When its end was recorded';
COMMENT ON COLUMN task_attempts.duration_ms IS 'As the worker measured it; from claim to end where it could not';
COMMENT ON COLUMN task_attempts.attempt IS 'Number of the run, from 1';
COMMENT ON COLUMN task_attempts.task_id IS 'The task';
COMMENT ON COLUMN task_attempts.task_type IS 'Its type';
COMMENT ON COLUMN task_attempts.outcome IS 'completed, failed, timeout, cancelled, retry_scheduled, snoozed, released or rescued';
COMMENT ON COLUMN task_attempts.worker_id IS 'Who ran it';
COMMENT ON COLUMN task_attempts.error_type IS 'Exception class of a failed attempt';
COMMENT ON COLUMN task_attempts.error_message IS 'Message of a failed attempt';

-- A place in a lane before which a claim need not look again (functions/claim_tasks.sql).
DO $$ BEGIN
    IF to_regtype('lane_mark') IS NULL THEN
        CREATE TYPE lane_mark AS (lane smallint, ready_position bigint, run_at timestamptz);
    END IF;
    IF to_regtype('transition') IS NULL THEN
        CREATE TYPE transition AS (
            task_id text, task_type text, subject text, version integer, type text, data jsonb, correlation_id text);
    END IF;
    IF to_regtype('task_draft') IS NULL THEN
        CREATE TYPE task_draft AS (
            ordinal integer, task_id text, task_type text, queue text, class smallint, limit_group text, subject text,
            unique_key text, unique_states text[], duplicate_of text, data jsonb);
    END IF;
    IF to_regtype('verdict') IS NULL THEN
        CREATE TYPE verdict AS (
            task_id text, lease integer, outcome text, status text, change transition);
    END IF;
END $$;

COMMENT ON TYPE lane_mark IS 'Where the next scan of a lane may start: ready_position for index 1, run_at for index 2';
COMMENT ON TYPE transition IS 'One task event about to be appended, as a reaction sees it; version is the event''s own';
COMMENT ON TYPE task_draft IS 'A task to enqueue, checked and with its defaults; duplicate_of names the task that its unique_key met';
COMMENT ON TYPE verdict IS 'What a write function decided about one row: outcome, status before, and the event that follows, if any';
