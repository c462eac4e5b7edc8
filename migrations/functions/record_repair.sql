-- Appends projection.repaired: rows of a read model were replaced by what the log says.
--
-- data holds how many, and the keys of the first hundred.
--
--   SELECT record_repair('queues', ARRAY['{"queue": "default"}']::jsonb[], default_actor(), now());

CREATE FUNCTION record_repair(read_model text, keys jsonb[], actor text, at timestamptz) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    SELECT a.position FROM append_events(
        ARRAY[ROW('projection', record_repair.read_model, 'projection.repaired',
                  jsonb_build_object('read_model', record_repair.read_model, 'rows', cardinality(record_repair.keys),
                                     'keys', to_jsonb(record_repair.keys[:100])),
                  NULL, NULL, NULL, NULL)::event_draft],
        record_repair.actor, record_repair.at) a
$$;
