-- Folds webhook.* events of delivery streams into webhook_deliveries.
--
-- A redelivery carries what it needs of the life before it, so that it makes the row anew where that is gone.
-- Failed attempts are counted in the row of the task by project_tasks.
--
--   SELECT delivery_id, status, attempts, next_attempt_at FROM webhook_deliveries WHERE status = 'pending';

CREATE FUNCTION project_webhooks() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
    _event events;
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('webhook') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'webhook');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['webhook.requested', 'webhook.skipped', 'webhook.attempt_failed', 'webhook.delivered', 'webhook.abandoned'] THEN
        RAISE EXCEPTION 'project_webhooks was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_webhooks.sql, or list it there as ignored.';
    END IF;
    FOR _event IN SELECT a.* FROM appended a WHERE a.stream_type = 'webhook' ORDER BY a.position LOOP
        IF _event.type IN ('webhook.requested', 'webhook.skipped') THEN
            INSERT INTO webhook_deliveries AS w (
                delivery_id, requested_position, event_position, created_at, sequence, task_id, task_type, event_type, url, endpoint,
                api_key, correlation_id, status, version, changed_position, changed_at, attempts, redeliveries, next_attempt_at,
                finished_at, reason)
            SELECT _event.stream_id, coalesce(d.first_position, _event.position), d.event_position, coalesce(d.first_at, _event.recorded_at),
                   d.sequence, d.task_id, d.task_type, d.event_type, d.url, coalesce(d.endpoint, ''), d.api_key, _event.correlation_id,
                   s.status, _event.version, _event.position, _event.recorded_at, coalesce(d.attempts_before, 0),
                   coalesce(d.redelivery, 0), CASE s.status WHEN 'pending' THEN _event.recorded_at END,
                   CASE s.status WHEN 'skipped' THEN _event.recorded_at END, d.reason
            FROM jsonb_to_record(_event.data) AS d (
                first_position bigint, event_position bigint, first_at timestamptz, sequence bigint, task_id text, task_type text,
                event_type text, url text, endpoint text, api_key text, attempts_before integer, redelivery integer, reason text)
            CROSS JOIN (SELECT CASE _event.type WHEN 'webhook.requested' THEN 'pending' ELSE 'skipped' END AS status) s
            ON CONFLICT ON CONSTRAINT webhook_deliveries_pkey DO UPDATE
                SET sequence = excluded.sequence, status = excluded.status, version = excluded.version,
                    changed_position = excluded.changed_position, changed_at = excluded.changed_at, failures = 0,
                    redeliveries = excluded.redeliveries, next_attempt_at = excluded.next_attempt_at, http_status = NULL,
                    latency_ms = NULL, finished_at = NULL, error = NULL, reason = excluded.reason;
        ELSE
            UPDATE webhook_deliveries w
            SET version = _event.version, changed_position = _event.position, changed_at = _event.recorded_at,
                status = CASE WHEN _event.type = 'webhook.attempt_failed' THEN w.status ELSE substr(_event.type, 9) END,
                attempts = coalesce(d.attempt, w.attempts),
                failures = w.failures + (_event.type = 'webhook.attempt_failed' AND d.probe IS NOT TRUE)::integer,
                next_attempt_at = CASE WHEN _event.type <> 'webhook.attempt_failed' THEN NULL
                                       ELSE _event.recorded_at + make_interval(secs => coalesce(d.next_delay_ms, 0) / 1000) END,
                http_status = CASE _event.type WHEN 'webhook.abandoned' THEN w.http_status ELSE d.http_status END,
                latency_ms = CASE _event.type WHEN 'webhook.abandoned' THEN w.latency_ms ELSE d.latency_ms END,
                finished_at = CASE WHEN _event.type <> 'webhook.attempt_failed' THEN _event.recorded_at END,
                error = CASE _event.type WHEN 'webhook.abandoned' THEN w.error ELSE d.error END,
                reason = CASE _event.type WHEN 'webhook.abandoned' THEN d.reason ELSE w.reason END
            FROM jsonb_to_record(_event.data) AS d (
                attempt integer, http_status smallint, error text, latency_ms real, next_delay_ms double precision, probe boolean, reason text)
            WHERE w.delivery_id = _event.stream_id;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER project_webhooks AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_webhooks();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_webhooks;
