-- Who works, on what, and who may ask: workers, queues, the catalogue of task types, API keys.
--
--   SELECT worker_id, status, seen_at, queues FROM workers ORDER BY started_at DESC;

CREATE TABLE IF NOT EXISTS workers (
    worker_id    text        NOT NULL,
    status       text        NOT NULL,
    host         text        NOT NULL,
    pid          integer     NOT NULL,
    queues       text[]      NOT NULL,
    task_types   text[]      NOT NULL,
    concurrency  integer     NOT NULL,
    code_version text,
    started_at   timestamptz NOT NULL,
    stopped_at   timestamptz,
    reason       text,
    seen_at      timestamptz NOT NULL,
    CONSTRAINT workers_pkey PRIMARY KEY (worker_id),
    CONSTRAINT worker_status_is_known CHECK (status IN ('live', 'stopped', 'lost'))
) WITH (fillfactor = 50);

COMMENT ON TABLE workers IS 'Worker processes, folded from worker.* events; only seen_at changes without an event';
COMMENT ON COLUMN workers.worker_id IS 'Identity of one run of one worker process';
COMMENT ON COLUMN workers.status IS 'live, stopped (by itself) or lost (given up for dead)';
COMMENT ON COLUMN workers.host IS 'Host it runs on';
COMMENT ON COLUMN workers.pid IS 'Process id there';
COMMENT ON COLUMN workers.queues IS 'Queues it claims from';
COMMENT ON COLUMN workers.task_types IS 'Task types it has handlers for';
COMMENT ON COLUMN workers.concurrency IS 'Slots';
COMMENT ON COLUMN workers.code_version IS 'Version of the code it runs';
COMMENT ON COLUMN workers.started_at IS 'When it registered';
COMMENT ON COLUMN workers.stopped_at IS 'When it stopped or was given up';
COMMENT ON COLUMN workers.reason IS 'Why it ended';
COMMENT ON COLUMN workers.seen_at IS 'Last sign of life, renewed every few seconds without an event';

CREATE TABLE IF NOT EXISTS queues (
    queue      text        NOT NULL,
    paused     boolean     NOT NULL,
    reason     text,
    changed_at timestamptz NOT NULL,
    CONSTRAINT queues_pkey PRIMARY KEY (queue)
);

COMMENT ON TABLE queues IS 'Queues that were ever paused, folded from queue.* events';
COMMENT ON COLUMN queues.queue IS 'Queue name';
COMMENT ON COLUMN queues.paused IS 'No claim takes from it while true';
COMMENT ON COLUMN queues.reason IS 'Why it was paused or resumed';
COMMENT ON COLUMN queues.changed_at IS 'When that was';

CREATE TABLE IF NOT EXISTS task_types (
    task_type       text        NOT NULL,
    code_version    text        NOT NULL,
    queue           text        NOT NULL DEFAULT 'default',
    priority        smallint    NOT NULL DEFAULT 5,
    max_attempts    smallint    NOT NULL DEFAULT 3,
    timeout_seconds real        NOT NULL DEFAULT 300,
    backoff         jsonb       NOT NULL DEFAULT '{"kind": "exponential"}',
    run_in          text        NOT NULL DEFAULT 'async',
    params_schema   jsonb,
    description     text,
    owner           text,
    subject_type    text,
    subject_param   text,
    id_prefix       text,
    limit_group     text        NOT NULL DEFAULT '',
    current         boolean     NOT NULL,
    published_at    timestamptz NOT NULL,
    CONSTRAINT task_types_pkey PRIMARY KEY (task_type, code_version),
    CONSTRAINT type_priority_is_1_to_10 CHECK (priority BETWEEN 1 AND 10),
    CONSTRAINT at_least_one_attempt CHECK (max_attempts >= 1),
    CONSTRAINT timeout_is_positive CHECK (timeout_seconds > 0)
);
CREATE UNIQUE INDEX IF NOT EXISTS one_current_version_per_task_type ON task_types (task_type) WHERE current;

COMMENT ON TABLE task_types IS 'Catalogue of task types, published by the processes that import them; not a read model';
COMMENT ON COLUMN task_types.task_type IS 'Name of the type';
COMMENT ON COLUMN task_types.code_version IS 'Version of the handler''s code; the newest published one is current';
COMMENT ON COLUMN task_types.queue IS 'Default queue';
COMMENT ON COLUMN task_types.priority IS 'Default priority, 1 to 10';
COMMENT ON COLUMN task_types.max_attempts IS 'Default bound of failures';
COMMENT ON COLUMN task_types.timeout_seconds IS 'Default deadline of an attempt';
COMMENT ON COLUMN task_types.backoff IS 'Default wait between attempts (functions/backoff_delay.sql)';
COMMENT ON COLUMN task_types.run_in IS 'async, thread or process';
COMMENT ON COLUMN task_types.params_schema IS 'JSON schema of the parameters, when the handler declares them';
COMMENT ON COLUMN task_types.description IS 'What the type does';
COMMENT ON COLUMN task_types.owner IS 'Module that defines the handler';
COMMENT ON COLUMN task_types.subject_type IS 'Noun of the subject derived from a parameter';
COMMENT ON COLUMN task_types.subject_param IS 'Parameter that holds the subject''s id';
COMMENT ON COLUMN task_types.id_prefix IS 'Ids of this type are prefix + random uuid; null: task-<number>';
COMMENT ON COLUMN task_types.limit_group IS 'Group whose running tasks are counted together; empty without a limit';
COMMENT ON COLUMN task_types.current IS 'The version that gives the defaults';
COMMENT ON COLUMN task_types.published_at IS 'When this version was last published';

CREATE TABLE IF NOT EXISTS api_keys (
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (name),
    CONSTRAINT scopes_are_known CHECK (scopes <@ ARRAY['read', 'write', 'admin'] AND scopes <> '{}')
);

COMMENT ON TABLE api_keys IS 'API keys, folded from key.* events; their hashes live apart (api_key_hashes)';
COMMENT ON COLUMN api_keys.name IS 'Name, part of every actor api:<name>';
COMMENT ON COLUMN api_keys.scopes IS 'read, write, admin';
COMMENT ON COLUMN api_keys.created_at IS 'When it was created';
COMMENT ON COLUMN api_keys.expires_at IS 'Not valid from then on';
COMMENT ON COLUMN api_keys.revoked_at IS 'When it was revoked';

CREATE TABLE IF NOT EXISTS api_key_hashes (
    hash bytea NOT NULL,
    name text  NOT NULL,
    CONSTRAINT api_key_hashes_pkey PRIMARY KEY (hash),
    CONSTRAINT one_hash_per_key UNIQUE (name)
);

COMMENT ON TABLE api_key_hashes IS 'SHA-256 of each API key; secrets stay outside the log';
COMMENT ON COLUMN api_key_hashes.hash IS 'SHA-256 of the key';
COMMENT ON COLUMN api_key_hashes.name IS 'The key in api_keys';
