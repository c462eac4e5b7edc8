-- The rows of one kind among those that these events may have been the last to change, locked where they may change.
--
-- What changed again since then is not among them: a dead letter that was retried, say. A row that somebody has
-- locked is waited for, in the order of the keys, and then judged as it is, so this comes before the append.
-- Rows that never change are taken by nobody but retention, an agent's end and a repair, which all hold retention_marks.
-- status and lane are those of a task.
--
--   SELECT * FROM rows_of_retention('tasks', '{3}', '{task-100000001}', '{1}', lock => false);

CREATE FUNCTION rows_of_retention(what text, positions bigint[], stream_ids text[], attempts integer[], lock boolean)
RETURNS TABLE (lane smallint, status text)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    _kind record;
BEGIN
    SELECT w.table_name, w.statuses INTO _kind FROM retention_whats() w WHERE w.what = rows_of_retention.what;
    IF _kind.table_name = 'background_tasks' THEN
        IF rows_of_retention.lock THEN
            PERFORM FROM background_tasks t
            WHERE t.task_id = ANY (rows_of_retention.stream_ids) AND t.status = ANY (_kind.statuses) ORDER BY t.task_id FOR UPDATE;
        END IF;
        RETURN QUERY
            SELECT t.lane, t.status
            FROM unnest(rows_of_retention.stream_ids, rows_of_retention.positions) AS u (stream_id, changed)
            JOIN background_tasks t ON t.task_id = u.stream_id AND t.changed_position = u.changed AND t.status = ANY (_kind.statuses);
    ELSIF _kind.table_name = 'webhook_deliveries' THEN
        IF rows_of_retention.lock THEN
            PERFORM FROM webhook_deliveries d
            WHERE d.delivery_id = ANY (rows_of_retention.stream_ids) AND d.status = ANY (_kind.statuses) ORDER BY d.delivery_id FOR UPDATE;
        END IF;
        RETURN QUERY
            SELECT NULL::smallint, NULL::text
            FROM unnest(rows_of_retention.stream_ids, rows_of_retention.positions) AS u (stream_id, changed)
            JOIN webhook_deliveries d ON d.delivery_id = u.stream_id AND d.changed_position = u.changed AND d.status = ANY (_kind.statuses);
    ELSIF _kind.table_name = 'task_attempts' THEN
        RETURN QUERY
            SELECT NULL::smallint, NULL::text
            FROM unnest(rows_of_retention.stream_ids, rows_of_retention.attempts, rows_of_retention.positions) AS u (stream_id, attempt, ended)
            JOIN task_attempts a ON a.task_id = u.stream_id AND a.attempt = u.attempt AND a.ended_position = u.ended;
    ELSIF _kind.table_name = 'coverage_history' THEN
        RETURN QUERY
            SELECT NULL::smallint, NULL::text FROM coverage_history h WHERE h.history_id = ANY (rows_of_retention.positions);
    END IF;
END $$;
