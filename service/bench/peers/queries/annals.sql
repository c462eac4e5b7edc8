-- Tasks that Annals has left.
SELECT count(*) FROM background_tasks WHERE status IN ('pending', 'running')
