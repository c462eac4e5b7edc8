-- A page of the list of tasks as it was at a settled position, newest first; NULL filters do not restrict.
--
-- (before, before_position) are created_at and enqueued_position of the last row of the page before. Rows are
-- walked from the newest that the next depth mark allows, and folded one by one until the page is full. Where
-- only statuses with few tasks are wanted, those tasks are found by positions first.
--
--   SELECT task_id, status FROM tasks_page_at(1, statuses => '{running}', "limit" => 20);

CREATE FUNCTION tasks_page_at(
    "position"      bigint,
    task_types      text[]      DEFAULT NULL,
    statuses        text[]      DEFAULT NULL,
    queue           text        DEFAULT NULL,
    subject         text        DEFAULT NULL,
    since           timestamptz DEFAULT NULL,
    until           timestamptz DEFAULT NULL,
    "text"          text        DEFAULT NULL,
    before          timestamptz DEFAULT NULL,
    before_position bigint      DEFAULT NULL,
    "limit"         integer     DEFAULT 50
) RETURNS SETOF background_tasks
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    _few    constant bigint := 5000;  -- folded in a tenth of a second; more are met soon enough on a walk
    _place  constant bigint := tasks_page_at."position";
    _newest constant timestamptz := least(tasks_page_at.before, (
        SELECT m.newest_created_at FROM depth_marks m WHERE m.position >= _place ORDER BY m.position LIMIT 1), 'infinity');
    _listed boolean := tasks_page_at.statuses IS NOT NULL;
    _kept   background_tasks[];  -- of those that have a row, the page
    _floor  timestamptz;         -- when it is full, its last: what is gone and older is not looked for
BEGIN
    IF _listed AND 'pending' = ANY (tasks_page_at.statuses) THEN
        _listed := (SELECT coalesce(sum(d.pending), 0) <= _few FROM past_queue_depth(_place) d);
    END IF;
    _kept := ARRAY(
        SELECT s.task
        FROM (SELECT b, b.created_at, b.enqueued_position FROM background_tasks b
              WHERE b.enqueued_position <= _place AND b.created_at <= _newest
                AND (NOT _listed OR b.changed_position <= _place AND b.status = ANY (tasks_page_at.statuses))
                AND (tasks_page_at.before IS NULL
                     OR (b.created_at, b.enqueued_position) < (tasks_page_at.before, tasks_page_at.before_position))
                AND task_matches(b, tasks_page_at.task_types, NULL, tasks_page_at.queue, tasks_page_at.subject,
                                 tasks_page_at.since, tasks_page_at.until, NULL)
              ORDER BY b.created_at DESC, b.enqueued_position DESC OFFSET 0) o
        CROSS JOIN LATERAL (
            SELECT CASE WHEN (o.b).changed_position <= _place THEN o.b
                        ELSE (SELECT task_state(e ORDER BY e.version) FROM events e
                              WHERE e.stream_type = 'task' AND e.stream_id = (o.b).task_id AND e.position <= _place)
                   END AS task OFFSET 0) s
        WHERE task_matches(s.task, NULL, tasks_page_at.statuses, NULL, NULL, NULL, NULL, tasks_page_at."text")
        ORDER BY o.created_at DESC, o.enqueued_position DESC
        LIMIT tasks_page_at."limit");
    _floor := (_kept[tasks_page_at."limit"]).created_at;
    RETURN QUERY
        SELECT (w.task).* FROM (SELECT ROW(x.*)::background_tasks AS task FROM (
            SELECT k.* FROM unnest(_kept) k
            UNION ALL
            SELECT t.* FROM past_changed_tasks(_place, tasks_page_at.statuses, _floor) t WHERE _listed
            UNION ALL
            (SELECT (s.task).*
             FROM (SELECT g.* FROM tasks_removed_since(_place, newer_than => _floor) g
                   WHERE NOT _listed AND (tasks_page_at.before IS NULL
                          OR (g.created_at, g.enqueued_position) < (tasks_page_at.before, tasks_page_at.before_position))
                   ORDER BY g.created_at DESC, g.enqueued_position DESC OFFSET 0) o
             CROSS JOIN LATERAL (SELECT task_state(e ORDER BY e.version) AS task FROM events e
                                 WHERE e.stream_type = 'task' AND e.stream_id = o.task_id AND e.position <= _place) s
             WHERE task_matches(s.task, tasks_page_at.task_types, tasks_page_at.statuses, tasks_page_at.queue,
                                tasks_page_at.subject, tasks_page_at.since, tasks_page_at.until, tasks_page_at."text")
             ORDER BY o.created_at DESC, o.enqueued_position DESC
             LIMIT tasks_page_at."limit")) x
        WHERE (tasks_page_at.before IS NULL
               OR (x.created_at, x.enqueued_position) < (tasks_page_at.before, tasks_page_at.before_position))
          AND task_matches(x, tasks_page_at.task_types, tasks_page_at.statuses, tasks_page_at.queue, tasks_page_at.subject,
                           tasks_page_at.since, tasks_page_at.until, tasks_page_at."text")
        ORDER BY x.created_at DESC, x.enqueued_position DESC
        LIMIT tasks_page_at."limit") y
        CROSS JOIN LATERAL (SELECT with_webhook_failures(y.task, _place) AS task OFFSET 0) w
        ORDER BY (w.task).created_at DESC, (w.task).enqueued_position DESC;
END $$;
