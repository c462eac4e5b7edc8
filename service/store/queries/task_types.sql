SELECT c.task_type, c.code_version, c.queue, c.priority, c.max_attempts, c.timeout_seconds, c.backoff, c.run_in, c.params_schema,
       c.description, c.owner, c.subject_type, c.subject_param, c.limit_group, c.published_at,
       ARRAY(SELECT o.code_version FROM task_types o WHERE o.task_type = c.task_type AND NOT o.current
             ORDER BY o.published_at DESC) AS other_versions,
       EXISTS (SELECT FROM workers w WHERE w.status = 'live' AND c.task_type = ANY (w.task_types)) AS served
FROM task_types c
WHERE c.current
ORDER BY c.task_type
