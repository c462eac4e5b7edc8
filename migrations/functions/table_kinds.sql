-- What each table is: the log, a read model (folded from it), content (truth of its own), or working state.
--
-- The one list of its kind; a test holds it against the schema, so that a new table must be put here.
-- Only read models are shadowed, verified and rebuilt. stream_type and stream_key say whose events fold
-- into a row ('*': every stream without a row of its own); free_columns may change without an event.
--
--   SELECT table_name, kind, why FROM table_kinds() ORDER BY kind, table_name;

CREATE FUNCTION table_kinds()
RETURNS TABLE (table_name text, kind text, stream_type text, stream_key text, free_columns text[], why text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    VALUES
        ('events', 'log', NULL, NULL, '{}'::text[], 'the one truth; everything below that is a read model follows from it'),
        ('background_tasks', 'read model', 'task', 'task_id', '{}', 'state of every task'),
        ('task_attempts', 'read model', 'task', 'task_id', '{}', 'one row for each ended attempt'),
        ('agents', 'read model', 'agent', 'agent_id', '{}', 'state of every agent'),
        ('coverage_history', 'read model', 'agent', 'agent_id', '{}', 'every measurement of an agent'),
        ('workers', 'read model', 'worker', 'worker_id', '{seen_at,busy_slots,loop_lag_seconds,working_since}', 'a sign of life every few seconds is no event'),
        ('queues', 'read model', 'queue', 'queue', '{}', 'queues that were ever paused'),
        ('api_keys', 'read model', 'key', 'name', '{}', 'who may ask, and for what'),
        ('schedules', 'read model', 'schedule', 'name', '{}', 'tasks to enqueue at certain times'),
        ('parked_events', 'read model', 'follower', 'follower', '{}', 'events that followers stepped over'),
        ('webhook_deliveries', 'read model', 'webhook', 'delivery_id', '{}', 'what is to be sent, and what became of it'),
        ('webhook_endpoints', 'read model', 'endpoint', 'endpoint', '{}', 'endpoints that were ever paused or disabled'),
        ('retention_totals', 'read model', 'retention', 'what', '{}', 'what retention removed'),
        ('stream_heads', 'read model', '*', 'stream_id', '{}', 'last version of each stream without a row of its own'),
        ('taxonomies', 'content', NULL, NULL, '{}', 'versions of the taxonomy'),
        ('taxonomy_nodes', 'content', NULL, NULL, '{}', 'what can be covered'),
        ('taxonomy_edges', 'content', NULL, NULL, '{}', 'which node lies below which'),
        ('documents', 'content', NULL, NULL, '{}', 'what covers it; events hold counts, never texts'),
        ('document_taxonomy', 'content', NULL, NULL, '{}', 'what each document is about'),
        ('chunks', 'content', NULL, NULL, '{}', 'documents, cut for the search'),
        ('api_key_hashes', 'content', NULL, NULL, '{}', 'secrets stay outside the log'),
        ('webhook_secrets', 'content', NULL, NULL, '{}', 'secrets stay outside the log'),
        ('task_types', 'working state', NULL, NULL, '{}', 'catalogue that each process publishes when it starts'),
        ('lanes', 'working state', NULL, NULL, '{}', 'dictionary of queue, class and limit group, filled on first use'),
        ('depth_marks', 'working state', NULL, NULL, '{}', 'counts at some positions, derived from the log; may be emptied'),
        ('relays', 'working state', NULL, NULL, '{}', 'relay processes and their signs of life'),
        ('relay_lease', 'working state', NULL, NULL, '{}', 'which relay leads, and until when'),
        ('followers', 'working state', NULL, NULL, '{}', 'checkpoints, moved in the transaction of the effect'),
        ('retention_marks', 'working state', NULL, NULL, '{}', 'how far retention has walked the log'),
        ('task_counts', 'working state', NULL, NULL, '{}', 'counted from the log by a follower; relay rewind counts anew'),
        ('task_totals', 'working state', NULL, NULL, '{}', 'task_counts over all hours, counted with them'),
        ('event_counts', 'working state', NULL, NULL, '{}', 'counted from the log by a follower; relay rewind counts anew'),
        ('event_totals', 'working state', NULL, NULL, '{}', 'event_counts over all hours, counted with them'),
        ('idempotency_keys', 'working state', NULL, NULL, '{}', 'answers of recent requests, kept for a day'),
        ('log_epoch', 'working state', NULL, NULL, '{}', 'identity of the log, for cursors outside the database'),
        ('schema_objects', 'working state', NULL, NULL, '{}', 'what the last migrate installed')
$$;
