-- What became of each draft: its task, or the one it duplicates, and the position of its task.enqueued event.
--
-- positions are those of the drafts that are no duplicates, in order; queue tells whoever rings after the
-- commit which doorbell.
--
--   SELECT * FROM enqueue_outcomes('{}', '{}');

CREATE FUNCTION enqueue_outcomes(drafts task_draft[], positions bigint[])
RETURNS TABLE (ordinal integer, task_id text, outcome text, "position" bigint, queue text)
LANGUAGE sql IMMUTABLE
AS $$
    SELECT d.ordinal, coalesce(d.duplicate_of, d.task_id), CASE WHEN d.duplicate_of IS NULL THEN 'enqueued' ELSE 'duplicate' END,
           CASE WHEN d.duplicate_of IS NULL
                THEN enqueue_outcomes.positions[count(*) FILTER (WHERE d.duplicate_of IS NULL) OVER (ORDER BY d.ordinal)] END,
           d.queue
    FROM unnest(enqueue_outcomes.drafts) d
    ORDER BY d.ordinal
$$;
