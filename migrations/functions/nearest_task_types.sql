-- Catalogue names nearest to a misspelt one, by shared pairs of letters; for the hint of an error.
--
--   SELECT nearest_task_types('coverage_refesh');

CREATE FUNCTION nearest_task_types(task_type text) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT string_agg(n.task_type, ', ' ORDER BY n.shared DESC, n.task_type)
    FROM (SELECT c.task_type,
                 (SELECT count(*) FROM generate_series(1, length(c.task_type) - 1) i
                  WHERE position(substr(c.task_type, i, 2) IN nearest_task_types.task_type) > 0) AS shared
          FROM task_types c WHERE c.current
          ORDER BY shared DESC, c.task_type LIMIT 3) n
$$;
