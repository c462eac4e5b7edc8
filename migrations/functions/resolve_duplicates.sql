-- Marks the drafts whose unique_key meets a task that is in one of the statuses they name.
--
-- Two enqueues of the same key meet at an advisory lock on its hash (two-key form, so that it can not
-- be taken for a key of the append fence), in the order of the keys, held to the end of the transaction.
--
--   SELECT enqueue_task('coverage_refresh', params => '{"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}', unique_key => 'agent-1');

CREATE FUNCTION resolve_duplicates(drafts task_draft[]) RETURNS task_draft[]
LANGUAGE plpgsql AS $$
DECLARE
    _key text;
BEGIN
    FOR _key IN SELECT DISTINCT d.unique_key FROM unnest(resolve_duplicates.drafts) d
                WHERE d.unique_key IS NOT NULL ORDER BY d.unique_key
    LOOP
        PERFORM pg_advisory_xact_lock(hashtext('annals.unique_key'), hashtext(_key));
    END LOOP;
    RETURN (
        SELECT array_agg(ROW(d.ordinal, d.task_id, d.task_type, d.queue, d.class, d.limit_group, d.subject, d.unique_key,
                             d.unique_states, coalesce(stored.task_id, earlier.task_id), d.data)::task_draft ORDER BY d.ordinal)
        FROM unnest(resolve_duplicates.drafts) d
        LEFT JOIN LATERAL (SELECT t.task_id FROM background_tasks t
                           WHERE t.unique_key = d.unique_key AND t.status = ANY (d.unique_states)
                           ORDER BY t.enqueued_position DESC LIMIT 1) stored ON true
        LEFT JOIN LATERAL (SELECT f.task_id FROM unnest(resolve_duplicates.drafts) f
                           WHERE f.unique_key = d.unique_key AND f.ordinal < d.ordinal AND 'pending' = ANY (d.unique_states)
                           ORDER BY f.ordinal LIMIT 1) earlier ON true);
END $$;
