-- How the coverage of agents changed between two positions: of those measured in between, what it was and is.
--
-- before is NULL when it had never been measured. An agent that is gone has taken its history with it,
-- and measurements that retention removed are not told.
--
--   SELECT name, before, after, measured FROM diff_coverage(0, 1);

CREATE FUNCTION diff_coverage(earlier bigint, later bigint)
RETURNS TABLE (agent_id uuid, name text, before numeric, "after" numeric, measured bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _earlier constant bigint := $1;
    _later constant bigint := $2;
BEGIN
    PERFORM require_stretch(_earlier, _later);
    RETURN QUERY
        SELECT m.agent_id, a.name,
               (SELECT h.overall_coverage FROM coverage_history h
                WHERE h.agent_id = m.agent_id AND h.history_id <= _earlier ORDER BY h.history_id DESC LIMIT 1),
               l.overall_coverage, m.measured
        FROM (SELECT h.agent_id, count(*) AS measured, max(h.history_id) AS last FROM coverage_history h
              WHERE h.history_id > _earlier AND h.history_id <= _later GROUP BY h.agent_id) m
        JOIN coverage_history l ON l.history_id = m.last
        LEFT JOIN agents a ON a.agent_id = m.agent_id
        ORDER BY m.agent_id;
END $$;
