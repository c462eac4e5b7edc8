-- Whether a row of background_tasks fits the filters of a list; NULL does not restrict.
--
-- since is inclusive, until exclusive, of created_at; text is looked for in id, type, subject and error, in
-- any case. Without SET, so that it is inlined and its conditions can use indexes.
--
--   SELECT task_id FROM background_tasks t WHERE task_matches(t, NULL, '{failed}', 'default', NULL, NULL, NULL, 'timeout');

CREATE FUNCTION task_matches(
    task background_tasks, task_types text[], statuses text[], queue text, subject text, since timestamptz, until timestamptz,
    "text" text
) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT (task_types IS NULL OR (task).task_type = ANY (task_types))
       AND (statuses IS NULL OR (task).status = ANY (statuses))
       AND (task_matches.queue IS NULL OR (task).queue = task_matches.queue)
       AND (task_matches.subject IS NULL OR (task).subject = task_matches.subject)
       AND (since IS NULL OR (task).created_at >= since)
       AND (until IS NULL OR (task).created_at < until)
       AND (task_matches."text" IS NULL
            OR strpos(lower(concat_ws(' ', (task).task_id, (task).task_type, (task).subject, (task).error)), lower(task_matches."text")) > 0)
$$;
