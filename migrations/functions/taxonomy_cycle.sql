-- Names a cycle among nodes that are about to be added, by their labels; NULL when there is none.
--
-- Nodes without a parent that is left are taken away until none is; what then remains lies on a cycle or
-- below one. From there a walk upwards must come back to where it has been.
--
--   SELECT taxonomy_cycle('{}', '{}');

CREATE FUNCTION taxonomy_cycle(nodes taxonomy_nodes[], edges taxonomy_edges[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
DECLARE
    _left  taxonomy_edges[];
    _next  taxonomy_edges[] := taxonomy_cycle.edges;
    _walk  uuid[];
    _node  uuid;
    _label text;
    _names text;
    _deep  integer := 0;
BEGIN
    -- An edge from an existing node can not be part of a cycle: existing nodes gain no parents.
    WHILE _next IS DISTINCT FROM _left LOOP
        _left := _next;
        _deep := _deep + 1;
        IF _deep > max_taxonomy_depth() THEN
            RAISE EXCEPTION 'the nodes lie deeper than % levels', max_taxonomy_depth() USING ERRCODE = 'AN422', HINT = 'Nothing was imported.';
        END IF;
        _next := ARRAY(SELECT e FROM unnest(_left) e WHERE e.parent_id IN (SELECT c.child_id FROM unnest(_left) c));
    END LOOP;
    IF _left = '{}' THEN
        RETURN NULL;
    END IF;
    _node := (_left[1]).child_id;
    WHILE _node <> ALL (coalesce(_walk, '{}')) LOOP
        _walk := _walk || _node;
        SELECT e.parent_id INTO _node FROM unnest(_left) e WHERE e.child_id = _node LIMIT 1;
    END LOOP;
    FOREACH _node IN ARRAY _walk[array_position(_walk, _node) :] || _node LOOP
        SELECT n.label INTO _label FROM unnest(taxonomy_cycle.nodes) n WHERE n.node_id = _node;
        _names := concat_ws(' -> ', _names, format('%s (%s)', _label, _node));
    END LOOP;
    RETURN _names;
END $$;
