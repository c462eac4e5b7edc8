-- Webhooks: what is to be sent and what became of it, the endpoints it goes to, the secrets that sign it.
--
--   SELECT delivery_id, endpoint, sequence, status, attempts, error FROM webhook_deliveries ORDER BY requested_position DESC LIMIT 20;

CREATE TABLE IF NOT EXISTS webhook_deliveries (
    requested_position bigint      NOT NULL,
    event_position     bigint      NOT NULL,
    created_at         timestamptz NOT NULL,
    sequence           bigint,
    delivery_id        text        NOT NULL,
    task_id            text        NOT NULL,
    task_type          text        NOT NULL,
    event_type         text        NOT NULL,
    url                text        NOT NULL,
    endpoint           text        NOT NULL,
    api_key            text,
    correlation_id     text,
    status             text        NOT NULL,
    version            integer     NOT NULL,
    changed_position   bigint      NOT NULL,
    changed_at         timestamptz NOT NULL,
    attempts           integer     NOT NULL DEFAULT 0,
    failures           integer     NOT NULL DEFAULT 0,
    redeliveries       integer     NOT NULL DEFAULT 0,
    next_attempt_at    timestamptz,
    http_status        smallint,
    latency_ms         real,
    finished_at        timestamptz,
    error              text,
    reason             text,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (delivery_id),
    CONSTRAINT delivery_status_is_known CHECK (status IN ('pending', 'delivered', 'abandoned', 'skipped')),
    CONSTRAINT next_attempt_iff_pending CHECK ((next_attempt_at IS NOT NULL) = (status = 'pending')),
    CONSTRAINT only_skipped_take_no_number CHECK (sequence IS NOT NULL OR status = 'skipped')
) WITH (fillfactor = 70);

COMMENT ON TABLE webhook_deliveries IS 'One row for each webhook to send, folded from webhook.* events; its attempts are its stream';
COMMENT ON COLUMN webhook_deliveries.requested_position IS 'Position of its first event';
COMMENT ON COLUMN webhook_deliveries.event_position IS 'Position of the event of the task that it tells; position in the body';
COMMENT ON COLUMN webhook_deliveries.created_at IS 'When it was first requested, or skipped';
COMMENT ON COLUMN webhook_deliveries.sequence IS 'Number among those of its endpoint, without gaps; a skipped one takes none';
COMMENT ON COLUMN webhook_deliveries.delivery_id IS 'The header webhook-id: the same over attempts and redeliveries';
COMMENT ON COLUMN webhook_deliveries.task_id IS 'The task that ended';
COMMENT ON COLUMN webhook_deliveries.task_type IS 'Its type';
COMMENT ON COLUMN webhook_deliveries.event_type IS 'How it ended: task.completed, task.failed, task.timed_out or task.cancelled';
COMMENT ON COLUMN webhook_deliveries.url IS 'Where it is sent, whole';
COMMENT ON COLUMN webhook_deliveries.endpoint IS 'The URL, normalised and without its query: what is numbered, paused and disabled';
COMMENT ON COLUMN webhook_deliveries.api_key IS 'Key that enqueued the task; a secret of its own may sign its webhooks';
COMMENT ON COLUMN webhook_deliveries.correlation_id IS 'Request that enqueued the task';
COMMENT ON COLUMN webhook_deliveries.status IS 'pending, delivered, abandoned or skipped';
COMMENT ON COLUMN webhook_deliveries.version IS 'Version of the last event of its stream';
COMMENT ON COLUMN webhook_deliveries.changed_position IS 'Position of the last event of its stream';
COMMENT ON COLUMN webhook_deliveries.changed_at IS 'When that was recorded';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'Attempts made, counted from 1 over redeliveries';
COMMENT ON COLUMN webhook_deliveries.failures IS 'Failed attempts since it was last requested; probes of a paused endpoint do not count';
COMMENT ON COLUMN webhook_deliveries.redeliveries IS 'How often it was requested again by hand';
COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS 'Not before; NULL when there is nothing more to send';
COMMENT ON COLUMN webhook_deliveries.http_status IS 'Answer to the last attempt; NULL when there was none';
COMMENT ON COLUMN webhook_deliveries.latency_ms IS 'Time the last attempt took';
COMMENT ON COLUMN webhook_deliveries.finished_at IS 'When it was delivered, given up or skipped';
COMMENT ON COLUMN webhook_deliveries.error IS 'What went wrong with the last attempt';
COMMENT ON COLUMN webhook_deliveries.reason IS 'Why it was skipped, given up or requested again';

-- What the sender looks through: by endpoint, in order.
CREATE INDEX IF NOT EXISTS webhook_deliveries_pending ON webhook_deliveries (endpoint, sequence) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS webhook_deliveries_next ON webhook_deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS webhook_deliveries_task ON webhook_deliveries (task_id);
CREATE INDEX IF NOT EXISTS webhook_deliveries_requested ON webhook_deliveries (requested_position);
CREATE INDEX IF NOT EXISTS webhook_deliveries_endpoint ON webhook_deliveries (endpoint, requested_position);

COMMENT ON INDEX webhook_deliveries_pending IS 'Deliveries still to be sent, by endpoint in order of their numbers';
COMMENT ON INDEX webhook_deliveries_next IS 'When deliveries become due';
COMMENT ON INDEX webhook_deliveries_task IS 'Deliveries of a task';
COMMENT ON INDEX webhook_deliveries_requested IS 'Lists of deliveries, the newest first';
COMMENT ON INDEX webhook_deliveries_endpoint IS 'Lists of the deliveries of an endpoint';

CREATE TABLE IF NOT EXISTS webhook_endpoints (
    endpoint   text        NOT NULL,
    status     text        NOT NULL,
    reason     text,
    changed_at timestamptz NOT NULL,
    version    integer     NOT NULL,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (endpoint),
    CONSTRAINT endpoint_status_is_known CHECK (status IN ('active', 'paused', 'disabled'))
);

COMMENT ON TABLE webhook_endpoints IS 'Endpoints that were ever paused or disabled, folded from endpoint.* events; others are active';
COMMENT ON COLUMN webhook_endpoints.endpoint IS 'URL, normalised and without its query';
COMMENT ON COLUMN webhook_endpoints.status IS 'active; paused: waits, but for a probe now and then; disabled: nothing is sent';
COMMENT ON COLUMN webhook_endpoints.reason IS 'Why';
COMMENT ON COLUMN webhook_endpoints.changed_at IS 'Since when';
COMMENT ON COLUMN webhook_endpoints.version IS 'Version of the last event of its stream';

CREATE TABLE IF NOT EXISTS webhook_secrets (
    secret_id  bigint      GENERATED ALWAYS AS IDENTITY,
    scope      text        NOT NULL,
    secret     text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    CONSTRAINT webhook_secrets_pkey PRIMARY KEY (secret_id),
    CONSTRAINT scope_is_default_endpoint_or_key CHECK (scope = 'default' OR scope LIKE 'endpoint:_%' OR scope LIKE 'key:_%')
);
CREATE UNIQUE INDEX IF NOT EXISTS one_newest_secret_per_scope ON webhook_secrets (scope) WHERE expires_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_secrets_expiring ON webhook_secrets (scope, expires_at) WHERE expires_at IS NOT NULL;

COMMENT ON TABLE webhook_secrets IS 'Keys that sign webhooks; outside the log, which knows only that they were rotated';
COMMENT ON COLUMN webhook_secrets.secret_id IS 'Number of the secret';
COMMENT ON COLUMN webhook_secrets.scope IS 'default, endpoint:<endpoint>, or key:<name of an API key>';
COMMENT ON COLUMN webhook_secrets.secret IS 'whsec_ and the key in base64';
COMMENT ON COLUMN webhook_secrets.created_at IS 'When it was made';
COMMENT ON COLUMN webhook_secrets.expires_at IS 'Signs beside its successor until then; NULL for the newest';
COMMENT ON INDEX webhook_secrets_expiring IS 'Secrets that sign for a while beside their successors';
COMMENT ON SEQUENCE webhook_secrets_secret_id_seq IS 'Numbers of secrets';
COMMENT ON INDEX one_newest_secret_per_scope IS 'Of each scope one secret is the newest';

-- Tasks with a webhook are few among all that end: found without reading the others' rows.
CREATE INDEX IF NOT EXISTS events_with_webhook ON events (stream_id) WHERE type = 'task.enqueued' AND data ? 'webhook_url';
-- The last number given at an endpoint, also when the row of that delivery is gone.
CREATE INDEX IF NOT EXISTS events_webhook_sequence ON events ((data ->> 'endpoint'), ((data ->> 'sequence')::bigint)) WHERE type = 'webhook.requested';
-- What was told of a task: failed attempts fold into its row.
CREATE INDEX IF NOT EXISTS events_webhook_failures ON events ((data ->> 'task_id')) WHERE type = 'webhook.attempt_failed';

-- Rows whose count may have been another at a position: the past looks at them by themselves.
CREATE INDEX IF NOT EXISTS background_tasks_webhook_failures ON background_tasks (task_id) WHERE webhook_retry_count > 0;

COMMENT ON INDEX background_tasks_webhook_failures IS 'Tasks whose webhooks failed at least once';
COMMENT ON INDEX events_with_webhook IS 'Tasks that named a webhook_url';
COMMENT ON INDEX events_webhook_sequence IS 'Numbers that webhooks took, by endpoint';
COMMENT ON INDEX events_webhook_failures IS 'Failed attempts of webhooks, by task';

-- A log that is older than webhooks: what ended before is not told now.
INSERT INTO followers (name, position)
SELECT 'webhooks', h.position FROM (SELECT max(e.position) AS position FROM events e) h WHERE h.position IS NOT NULL
ON CONFLICT DO NOTHING;

DO $$ BEGIN
    IF to_regtype('webhook_draft') IS NULL THEN
        CREATE TYPE webhook_draft AS (
            delivery_id text, event_position bigint, event_type text, task_id text, task_type text, url text, endpoint text,
            api_key text, correlation_id text, trace text);
    END IF;
END $$;

COMMENT ON TYPE webhook_draft IS 'A webhook that the end of a task asks for, as the log tells it; endpoint is NULL for a URL that is none';
