-- Which of these tasks are to stop, for a worker whose wake-up was lost: asked to, or gone with their agent.
SELECT u.task_id
FROM unnest($1::text[]) AS u (task_id)
LEFT JOIN background_tasks t ON t.task_id = u.task_id
WHERE t.task_id IS NULL OR t.cancellation_requested
