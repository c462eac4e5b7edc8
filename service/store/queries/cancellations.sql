-- Which of these tasks were asked to stop, for a worker whose wake-up was lost.
SELECT t.task_id
FROM unnest($1::text[]) AS u (task_id)
JOIN background_tasks t ON t.task_id = u.task_id
WHERE t.cancellation_requested
