-- The customer's indexes without predicates, and one of their own for running tasks and for the claim.

DROP INDEX background_tasks_status, background_tasks_pending, background_tasks_agent_id, background_tasks_agent_id_status;
CREATE INDEX background_tasks_status ON background_tasks (status);
CREATE INDEX background_tasks_pending ON background_tasks (lane, ready_position) WHERE ready_position IS NOT NULL;
CREATE INDEX background_tasks_agent_id ON background_tasks (agent_id);
CREATE INDEX background_tasks_agent_id_status ON background_tasks (agent_id, status);
CREATE INDEX background_tasks_running ON background_tasks (worker_id) WHERE status = 'running';
