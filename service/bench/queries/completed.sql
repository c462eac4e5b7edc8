-- How many tasks were completed in the stretch of the log after $1, up to the settled position $2.
SELECT count(*) FROM events WHERE position > $1 AND position <= $2 AND type = 'task.completed'
