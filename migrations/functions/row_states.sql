-- One row of a read model after each event of its stream, folded one by one in the schema shadow.
--
-- Up to a position, when one is given. state is NULL where the row is not there. Nothing stays in the
-- shadow, so that it may also be called at a prompt.
--
--   SELECT version, type, state ->> 'status' FROM row_states('background_tasks', 'task', 'task-100000001', '{"task_id": "task-100000001"}');

CREATE FUNCTION row_states(read_model text, stream_type text, stream_id text, row_key jsonb, until bigint DEFAULT NULL)
RETURNS TABLE ("position" bigint, version integer, stream text, type text, actor text, recorded_at timestamptz, data jsonb, state jsonb)
LANGUAGE plpgsql SET search_path = shadow, public, pg_temp AS $$
DECLARE
    _shape    record;
    _event    events;
    _state    jsonb;
    _reaching bigint[] := ARRAY(SELECT reaching_events(row_states.stream_type, ARRAY[row_states.stream_id]));
BEGIN
    SELECT * INTO _shape FROM shape_of_read_model(row_states.read_model);
    PERFORM ready_shadow(ARRAY(SELECT row_states.stream_type
                               UNION SELECT e.stream_type FROM public.events e WHERE e.position = ANY (_reaching)));
    FOR _event IN
        SELECT e.* FROM public.events e
        WHERE (e.stream_type = row_states.stream_type AND e.stream_id = row_states.stream_id
               OR e.position = ANY (_reaching))
          AND e.position <= coalesce(row_states.until, e.position)
        ORDER BY e.position
    LOOP
        INSERT INTO shadow.events SELECT (_event).*;
        EXECUTE format('SELECT to_jsonb(x) FROM shadow.%I x WHERE %s = $1', row_states.read_model, _shape.key_object)
            INTO _state USING row_states.row_key;
        RETURN QUERY SELECT _event.position, _event.version, _event.stream_type || '/' || _event.stream_id,
                            _event.type, _event.actor, _event.recorded_at, _event.data, _state;
    END LOOP;
    PERFORM empty_shadow();
END $$;
