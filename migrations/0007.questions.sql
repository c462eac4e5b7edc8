-- What makes the questions to psql quick (service/store/questions), and a sentence on what had none yet.
--
--   SELECT * FROM audit_log ORDER BY position DESC LIMIT 20;

-- Both indexes are partial: a task that is enqueued without a correlation, claimed and completed enters
-- neither, so that the hot path pays for the predicates only.
CREATE INDEX IF NOT EXISTS events_of_request ON events (correlation_id) WHERE type = 'task.enqueued' AND correlation_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS events_by_hand ON events (position)
    WHERE type NOT IN ('task.enqueued', 'task.started', 'task.progressed', 'task.completed')
      AND (actor LIKE 'api:%' OR actor LIKE 'psql:%');

COMMENT ON INDEX events_of_request IS 'Tasks that one request (X-Request-ID) enqueued';
COMMENT ON INDEX events_by_hand IS 'What people did, newest first: the view audit_log';
COMMENT ON INDEX background_tasks_pending IS 'Claim: what is claimable now, lane by lane, in the order in which it became so';
COMMENT ON INDEX background_tasks_due IS 'Claim: what waits for a time, lane by lane';
COMMENT ON INDEX background_tasks_unique_key IS 'Tasks by unique_key, for an enqueue that must not repeat one';
COMMENT ON INDEX background_tasks_subject IS 'Tasks of one subject';
COMMENT ON INDEX background_tasks_agent_id IS 'Tasks of one agent';
COMMENT ON INDEX background_tasks_agent_id_status IS 'Tasks of one agent in one status';
COMMENT ON INDEX background_tasks_status IS 'Tasks in a status other than pending, which has the index of the claim, and completed';
COMMENT ON INDEX background_tasks_created_at IS 'Newest tasks first';
COMMENT ON INDEX one_current_version_per_task_type IS 'Each task type has one version that gives the defaults';
COMMENT ON INDEX agents_taxonomy_node_ids IS 'Agents that name a node';
COMMENT ON INDEX agents_created_position IS 'Newest agents first';
COMMENT ON INDEX coverage_history_agent_id IS 'Measurements of one agent';
COMMENT ON INDEX coverage_history_timestamp IS 'Newest measurements first';
COMMENT ON INDEX coverage_history_agent_id_timestamp IS 'Newest measurements of one agent first';
COMMENT ON INDEX taxonomy_nodes_node_id IS 'The versions that have a node';
COMMENT ON INDEX taxonomy_edges_child IS 'Parents of a node';
COMMENT ON INDEX chunks_search IS 'Passages by their words';
COMMENT ON INDEX document_taxonomy_node_id IS 'Documents of a node by confidence; counting reads nothing else';
COMMENT ON SEQUENCE events_position IS 'Hands out positions of the log; only the default of events.position may draw from it';
COMMENT ON SEQUENCE task_number IS 'Numbers of the ids task-<number>';
COMMENT ON SEQUENCE lanes_lane_seq IS 'Numbers of lanes';
