-- Who could run a task of a type in a queue, as facts: serving workers with their slots, what fills them, and who else lives.
--
-- A worker that has said nothing for a minute counts as silent, not as serving: it claims nothing, and is given up
-- for dead when another one, or the relay that leads, has watched its silence. At most 20 workers are named, the
-- counts are of all.
--
--   SELECT jsonb_pretty(worker_facts('default', 'noop'));

CREATE FUNCTION worker_facts(queue text, task_type text, at timestamptz DEFAULT clock_timestamp()) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH known AS MATERIALIZED (
        SELECT w.*, w.status = 'live' AND w.seen_at > worker_facts.at - interval '1 minute' AS awake,
               worker_facts.queue = ANY (w.queues) AND worker_facts.task_type = ANY (w.task_types) AS fits
        FROM workers w),
    running AS MATERIALIZED (
        SELECT t.task_id, t.task_type, t.worker_id, t.started_at
        FROM background_tasks t
        WHERE t.status = 'running' AND t.worker_id IN (SELECT k.worker_id FROM known k WHERE k.awake AND k.fits)),
    serving AS (
        SELECT k.*, (SELECT count(*) FROM running r WHERE r.worker_id = k.worker_id) AS busy
        FROM known k WHERE k.awake AND k.fits)
    SELECT jsonb_build_object(
        'serving', (SELECT count(*) FROM serving),
        'slots', (SELECT coalesce(sum(s.concurrency), 0) FROM serving s),
        'running', (SELECT count(*) FROM running),
        'free', (SELECT coalesce(sum(greatest(s.concurrency - s.busy, 0)), 0) FROM serving s),
        'serving_since', (SELECT json_time(min(s.started_at)) FROM serving s),
        'named', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'worker_id', s.worker_id, 'host', s.host, 'slots', s.concurrency, 'running', s.busy, 'seen_at', json_time(s.seen_at))
                        ORDER BY s.worker_id), '[]') FROM (SELECT * FROM serving x ORDER BY x.worker_id LIMIT 20) s),
        'running_types', (SELECT coalesce(jsonb_object_agg(r.task_type, r.n), '{}')
                          FROM (SELECT x.task_type, count(*) AS n FROM running x GROUP BY x.task_type) r),
        'longest_running', (SELECT jsonb_build_object('task_id', r.task_id, 'task_type', r.task_type, 'worker_id', r.worker_id,
                                'started_at', json_time(r.started_at), 'seconds', extract(epoch FROM worker_facts.at - r.started_at)::float8)
                            FROM running r ORDER BY r.started_at LIMIT 1),
        'others', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'worker_id', o.worker_id, 'queues', o.queues, 'task_types', o.task_types) ORDER BY o.worker_id), '[]')
                   FROM (SELECT * FROM known k WHERE k.awake AND NOT k.fits ORDER BY k.worker_id LIMIT 20) o),
        'last', (SELECT jsonb_build_object('worker_id', k.worker_id, 'status', CASE k.status WHEN 'live' THEN 'silent' ELSE k.status END,
                     'seen_at', json_time(coalesce(k.stopped_at, k.seen_at)), 'reason', k.reason,
                     'seconds_ago', extract(epoch FROM worker_facts.at - coalesce(k.stopped_at, k.seen_at))::float8)
                 FROM known k WHERE k.fits AND NOT k.awake ORDER BY coalesce(k.stopped_at, k.seen_at) DESC LIMIT 1))
$$;
