-- The retention.applied event whose batch covers a position: what had last changed there went with it. Or no row.
--
-- Batches of one kind follow each other in the log and never overlap, so it is the first that reaches as far.
-- Whether the row was of that kind (its status) is the caller's to know. A set of at most one, because only then
-- it is planned as a part of the query that asks it for each of many rows.
--
--   SELECT * FROM retention_over('tasks', 1);

CREATE FUNCTION retention_over(what text, "position" bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE
AS $$
    SELECT r.position
    FROM (SELECT e.position, (e.data ->> 'from_position')::bigint AS from_position FROM public.events e
          WHERE e.type = 'retention.applied' AND e.data ->> 'what' = retention_over.what
            AND (e.data ->> 'up_to_position')::bigint >= retention_over."position"
          ORDER BY (e.data ->> 'up_to_position')::bigint LIMIT 1) r
    WHERE r.from_position < retention_over."position"
$$;
