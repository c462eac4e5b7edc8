-- Folds retention.applied: deletes what its batch covers, and counts it in retention_totals.
--
-- A row goes when the last event that changed it lies in (from_position, up_to_position] and its status is of the
-- kind removed; what changed after that stays. Whatever is folded first, an agent's end or a batch, the same rows
-- are left. Trigger functions run in the order of their triggers' names, and this one must come after those that
-- make rows, or a log folded in one statement would keep them: hence "then".
--
--   SELECT what, removed, up_to_position FROM retention_totals;

CREATE FUNCTION project_retention() RETURNS trigger
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    _batch  record;
    _events record;
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('retention') THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM appended a WHERE a.stream_type = 'retention') THEN
        RETURN NULL;
    END IF;
    FOR _batch IN
        SELECT a.type, a.stream_id, a.position, a.recorded_at, d.*, w.table_name, w.statuses
        FROM appended a
        CROSS JOIN LATERAL jsonb_to_record(a.data) AS d (
            what text, cutoff timestamptz, from_position bigint, up_to_position bigint, removed bigint)
        LEFT JOIN retention_whats() w ON w.what = d.what
        WHERE a.stream_type = 'retention'
        ORDER BY a.position
    LOOP
        IF _batch.type <> 'retention.applied' OR _batch.table_name IS NULL OR _batch.what <> _batch.stream_id
           OR _batch.removed IS NULL OR _batch.cutoff IS NULL
           OR _batch.what <> 'idempotency_keys'
              AND (_batch.from_position < _batch.up_to_position AND _batch.up_to_position < _batch.position) IS NOT TRUE THEN
            RAISE EXCEPTION 'project_retention cannot fold % of %', _batch.type, coalesce(_batch.what, 'nothing')
                USING ERRCODE = 'AN422', HINT = 'SELECT * FROM retention_whats(); batches are appended by apply_retention alone.';
        END IF;
        SELECT array_agg(e.position) AS positions, array_agg(e.stream_id) AS stream_ids, array_agg(e.attempt) AS attempts INTO _events
        FROM retention_events(_batch.what, _batch.from_position, _batch.up_to_position) e;
        IF _batch.table_name = 'background_tasks' THEN
            DELETE FROM background_tasks t USING unnest(_events.stream_ids, _events.positions) AS u (stream_id, changed)
            WHERE t.task_id = u.stream_id AND t.changed_position = u.changed AND t.status = ANY (_batch.statuses);
        ELSIF _batch.table_name = 'webhook_deliveries' THEN
            DELETE FROM webhook_deliveries d USING unnest(_events.stream_ids, _events.positions) AS u (stream_id, changed)
            WHERE d.delivery_id = u.stream_id AND d.changed_position = u.changed AND d.status = ANY (_batch.statuses);
        ELSIF _batch.table_name = 'task_attempts' THEN
            DELETE FROM task_attempts a USING unnest(_events.stream_ids, _events.attempts, _events.positions) AS u (stream_id, attempt, ended)
            WHERE a.task_id = u.stream_id AND a.attempt = u.attempt AND a.ended_position = u.ended;
        ELSIF _batch.table_name = 'coverage_history' THEN
            DELETE FROM coverage_history h WHERE h.history_id = ANY (_events.positions);
        END IF;
        INSERT INTO retention_totals AS t (what, removed, batches, up_to_position, cutoff, applied_at)
        VALUES (_batch.what, _batch.removed, 1, _batch.up_to_position, _batch.cutoff, _batch.recorded_at)
        ON CONFLICT ON CONSTRAINT retention_totals_pkey DO UPDATE
            SET removed = t.removed + excluded.removed, batches = t.batches + 1, up_to_position = excluded.up_to_position,
                cutoff = excluded.cutoff, applied_at = excluded.applied_at;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER then_project_retention AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_retention();
ALTER TABLE events ENABLE ALWAYS TRIGGER then_project_retention;
