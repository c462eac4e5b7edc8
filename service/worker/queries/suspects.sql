-- Workers that may have to be rescued from: every other live one, and those that ended and left tasks running.
SELECT w.worker_id, w.seen_at
FROM workers w
WHERE w.worker_id <> $1
  AND (w.status = 'live'
       OR w.worker_id IN (SELECT t.worker_id FROM background_tasks t WHERE t.status = 'running'))
