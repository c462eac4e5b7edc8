-- Appends projection.repaired: rows of a read model were replaced by what the log says.
--
--   SELECT record_repair('queues', 1, default_actor(), now());

CREATE FUNCTION record_repair(read_model text, rows integer, actor text, at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    SELECT a.position FROM append_events(
        ARRAY[ROW('projection', record_repair.read_model, 'projection.repaired',
                  jsonb_build_object('read_model', record_repair.read_model, 'rows', record_repair.rows),
                  NULL, NULL, NULL, NULL)::event_draft],
        record_repair.actor, record_repair.at) a
$$;
