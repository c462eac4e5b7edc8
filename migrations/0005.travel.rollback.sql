DROP TABLE IF EXISTS depth_marks;
DROP TYPE IF EXISTS lane_count;
DROP INDEX IF EXISTS events_tasks_of_agents;
DROP INDEX IF EXISTS events_after_the_fact;
DROP INDEX IF EXISTS task_attempts_positions;
