-- The kinds of rows that retention removes, and the events that can be the last to change such a row.
--
-- statuses are those in which a row of the table is of this kind; NULL where every row is. A status that stands
-- in no list is kept for ever: it is not over yet. Idempotency keys have no events, they go by their own time.
--
--   SELECT what, table_name, statuses FROM retention_whats();

CREATE FUNCTION retention_whats()
RETURNS TABLE (what text, table_name text, stream_type text, last_events text[], statuses text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    VALUES
        ('tasks', 'background_tasks', 'task',
         '{task.completed,task.cancelled,task.completion_refused,task.abandoned}'::text[], '{completed,cancelled}'::text[]),
        ('dead_letters', 'background_tasks', 'task',
         '{task.failed,task.timed_out,task.completion_refused,task.abandoned}', '{failed,timeout}'),
        ('attempts', 'task_attempts', 'task',
         '{task.completed,task.failed,task.timed_out,task.cancelled,task.retry_scheduled,task.snoozed,task.released,task.rescued}', NULL),
        ('coverage_history', 'coverage_history', 'agent', '{coverage.measured}', NULL),
        ('deliveries', 'webhook_deliveries', 'webhook',
         '{webhook.delivered,webhook.abandoned,webhook.skipped}', '{delivered,abandoned,skipped}'),
        ('idempotency_keys', 'idempotency_keys', NULL, '{}', NULL)
$$;
