-- The log: one append-only table of events, in one global order.
--
-- position is the global order and the only cursor a reader needs; (stream_type, stream_id,
-- version) orders one stream. Positions are drawn only by the column default, behind the append
-- fence (functions/fence_append.sql), so that a reader can tell which of them are settled.
-- The sequence stays below 2^48 because the fence packs a position into an advisory lock key.
--
--   SELECT position, type, stream_id, data FROM events ORDER BY position DESC LIMIT 20;

CREATE SEQUENCE IF NOT EXISTS events_position AS bigint MAXVALUE 281474976710655 CACHE 1;

CREATE TABLE IF NOT EXISTS events (
    position       bigint      NOT NULL DEFAULT nextval('events_position'),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    causation_id   bigint,
    version        integer     NOT NULL,
    stream_type    text        NOT NULL,
    stream_id      text        NOT NULL,
    type           text        NOT NULL,
    actor          text        NOT NULL,
    correlation_id text,
    trace          text,
    data           jsonb       NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (position),
    CONSTRAINT one_event_per_version UNIQUE (stream_type, stream_id, version),
    CONSTRAINT version_is_positive CHECK (version > 0),
    CONSTRAINT data_is_an_object CHECK (jsonb_typeof(data) = 'object')
);

COMMENT ON TABLE events IS 'Append-only log of everything that happened; every other read model is folded from it';
COMMENT ON COLUMN events.position IS 'Global order; the only cursor a reader needs';
COMMENT ON COLUMN events.stream_type IS 'Kind of the thing that changed: task, agent, worker, queue, key, ...';
COMMENT ON COLUMN events.stream_id IS 'Which one of its kind';
COMMENT ON COLUMN events.version IS 'Order within the stream, from 1, without holes';
COMMENT ON COLUMN events.type IS '<noun>.<past participle>, for example task.completed';
COMMENT ON COLUMN events.data IS 'The facts of the event, readable without today''s code or rows';
COMMENT ON COLUMN events.actor IS 'Who did it: api:<key>, worker:<id>, relay, schedule:<name>, webhook:<source>, psql:<role>';
COMMENT ON COLUMN events.correlation_id IS 'Follows one request through its tasks to its webhooks';
COMMENT ON COLUMN events.causation_id IS 'Position of the event that caused this one';
COMMENT ON COLUMN events.trace IS 'W3C traceparent, whole, when the request carried one';
COMMENT ON COLUMN events.recorded_at IS 'The clock of the log';

-- Identity of this log. A cursor kept outside the database carries the epoch: after an
-- asynchronous failover positions may be handed out again, and the epoch is then renewed.
CREATE TABLE IF NOT EXISTS log_epoch (
    only_row   boolean     NOT NULL DEFAULT true,
    epoch      uuid        NOT NULL DEFAULT gen_random_uuid(),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT log_epoch_pkey PRIMARY KEY (only_row),
    CONSTRAINT one_epoch_at_a_time CHECK (only_row)
);
INSERT INTO log_epoch DEFAULT VALUES ON CONFLICT DO NOTHING;

COMMENT ON TABLE log_epoch IS 'Identity of this log; part of every cursor kept outside the database';
COMMENT ON COLUMN log_epoch.only_row IS 'Always true: there is one epoch at a time';
COMMENT ON COLUMN log_epoch.epoch IS 'Renewed when positions may have been handed out twice';
COMMENT ON COLUMN log_epoch.started_at IS 'When this epoch began';

-- Drafts and requests: the argument types of the write functions.
DO $$ BEGIN
    IF to_regtype('event_draft') IS NULL THEN
        CREATE TYPE event_draft AS (
            stream_type text, stream_id text, type text, data jsonb, correlation_id text, causation_id bigint, trace text,
            caused_by text);
    END IF;
    IF to_regtype('request_key') IS NULL THEN
        CREATE TYPE request_key AS (api_key text, route text, key text, hash text);
    END IF;
END $$;

COMMENT ON TYPE event_draft IS 'An event before it has a version and a position; caused_by names the task whose transition causes it';
COMMENT ON TYPE request_key IS 'Idempotency key of a request: whose, for which route, the key, the hash of the body';

-- Heads of the streams that have no read-model row of their own to lock (worker, queue, key,
-- and every stream type a user invents through ctx.record).
CREATE TABLE IF NOT EXISTS stream_heads (
    stream_type text    NOT NULL,
    stream_id   text    NOT NULL,
    version     integer NOT NULL,
    CONSTRAINT stream_heads_pkey PRIMARY KEY (stream_type, stream_id)
);

COMMENT ON TABLE stream_heads IS 'Last version of each stream that has no read-model row of its own';
COMMENT ON COLUMN stream_heads.stream_type IS 'As in events';
COMMENT ON COLUMN stream_heads.stream_id IS 'As in events';
COMMENT ON COLUMN stream_heads.version IS 'Version of the last event of the stream';

-- What a request with an Idempotency-Key was answered, kept in the transaction of its events.
CREATE TABLE IF NOT EXISTS idempotency_keys (
    api_key      text        NOT NULL,
    route        text        NOT NULL,
    key          text        NOT NULL,
    request_hash text        NOT NULL,
    result       jsonb,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (api_key, route, key)
);

COMMENT ON TABLE idempotency_keys IS 'Results of requests that carried an Idempotency-Key, kept for 24 h';
COMMENT ON COLUMN idempotency_keys.api_key IS 'Name of the API key that asked; keys of two callers never meet';
COMMENT ON COLUMN idempotency_keys.route IS 'Method and route template';
COMMENT ON COLUMN idempotency_keys.key IS 'The Idempotency-Key header';
COMMENT ON COLUMN idempotency_keys.request_hash IS 'Hash of the request; the same key with another request is refused';
COMMENT ON COLUMN idempotency_keys.result IS 'Compact result, from which the same answer is rendered again';
COMMENT ON COLUMN idempotency_keys.created_at IS 'When the request was first answered';
