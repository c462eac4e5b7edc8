-- Makes sure that the lanes of these drafts exist; the fold of task.enqueued looks them up.
--
-- It looks first: nearly always they do, and an INSERT that inserts nothing costs three times as much.
--
--   SELECT lane, queue, class, limit_group FROM lanes;

CREATE FUNCTION intern_lanes(drafts task_draft[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT d.queue, d.class, d.limit_group FROM unnest(intern_lanes.drafts) d) d
               WHERE NOT EXISTS (SELECT FROM lanes l WHERE l.queue = d.queue AND l.class = d.class AND l.limit_group = d.limit_group)) THEN
        INSERT INTO lanes (queue, class, limit_group)
        SELECT DISTINCT d.queue, d.class, d.limit_group
        FROM unnest(intern_lanes.drafts) d
        WHERE NOT EXISTS (SELECT FROM lanes l WHERE l.queue = d.queue AND l.class = d.class AND l.limit_group = d.limit_group)
        ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING;
    END IF;
END $$;
