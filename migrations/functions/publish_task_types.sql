-- Publishes task types into the catalogue; the version published last is current, the others stay visible.
--
-- Publishing what is current already changes nothing. Returns how many types changed.
--
--   SELECT publish_task_types('[{"task_type": "noop", "code_version": "1", "description": "does nothing"}]');

CREATE FUNCTION publish_task_types(types jsonb, at timestamptz DEFAULT clock_timestamp()) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _changed integer;
    _bad     text;
BEGIN
    IF jsonb_typeof(publish_task_types.types) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'task types must be a JSON array of objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT coalesce(t ->> 'task_type', '(unnamed)') INTO _bad FROM jsonb_array_elements(publish_task_types.types) t
    WHERE coalesce(t ->> 'task_type', '') !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,199}$'
       OR t -> 'backoff' IS NOT NULL AND jsonb_typeof(t -> 'backoff') <> 'null' AND NOT valid_backoff(t -> 'backoff')
       OR coalesce(t ->> 'queue', 'default') !~ '^[A-Za-z0-9_.:-]{1,100}$' OR coalesce(t ->> 'run_in', 'async') NOT IN ('async', 'thread', 'process')
       OR jsonb_path_exists(t, '$ ? (@.priority < 1 || @.priority > 10 || @.max_attempts < 1 || @.timeout_seconds <= 0 || @.timeout_seconds > 1000000000)')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'not a publishable task type: %', _bad USING ERRCODE = 'AN422',
            HINT = 'A name is letters, digits, _ . -; a backoff is one of none, fixed, list, exponential; run_in async, thread or process; '
                   'priority 1 to 10; max_attempts 1 or more; timeout_seconds above 0.';
    END IF;
    -- Publishers take turns: two versions of one type must not both become current.
    PERFORM pg_advisory_xact_lock(hashtext('annals.catalogue'), 0);
    UPDATE task_types t SET current = false
    FROM jsonb_to_recordset(publish_task_types.types) AS r (task_type text, code_version text)
    WHERE t.task_type = r.task_type AND t.current AND t.code_version <> coalesce(r.code_version, '');
    WITH written AS (
        INSERT INTO task_types AS t (
            task_type, code_version, queue, priority, max_attempts, timeout_seconds, backoff, run_in, params_schema, description,
            owner, subject_type, subject_param, id_prefix, limit_group, current, published_at)
        SELECT DISTINCT ON (r.task_type) r.task_type, coalesce(r.code_version, ''), coalesce(r.queue, 'default'), coalesce(r.priority, 5),
               coalesce(r.max_attempts, 3), coalesce(r.timeout_seconds, 300), coalesce(nullif(r.backoff, 'null'), '{"kind": "exponential"}'),
               coalesce(r.run_in, 'async'), nullif(r.params_schema, 'null'), r.description, r.owner, r.subject_type, r.subject_param,
               r.id_prefix, coalesce(r.limit_group, ''), true, publish_task_types.at
        FROM jsonb_to_recordset(publish_task_types.types) AS r (
            task_type text, code_version text, queue text, priority smallint, max_attempts smallint, timeout_seconds real,
            backoff jsonb, run_in text, params_schema jsonb, description text, owner text, subject_type text,
            subject_param text, id_prefix text, limit_group text)
        ORDER BY r.task_type
        ON CONFLICT ON CONSTRAINT task_types_pkey DO UPDATE SET
            queue = excluded.queue, priority = excluded.priority, max_attempts = excluded.max_attempts,
            timeout_seconds = excluded.timeout_seconds, backoff = excluded.backoff, run_in = excluded.run_in,
            params_schema = excluded.params_schema, description = excluded.description, owner = excluded.owner,
            subject_type = excluded.subject_type, subject_param = excluded.subject_param, id_prefix = excluded.id_prefix,
            limit_group = excluded.limit_group, current = true, published_at = excluded.published_at
        WHERE (t.current, t.queue, t.priority, t.max_attempts, t.timeout_seconds, t.backoff, t.run_in, t.params_schema, t.description,
               t.owner, t.subject_type, t.subject_param, t.id_prefix, t.limit_group)
            IS DISTINCT FROM
              (true, excluded.queue, excluded.priority, excluded.max_attempts, excluded.timeout_seconds, excluded.backoff,
               excluded.run_in, excluded.params_schema, excluded.description, excluded.owner, excluded.subject_type,
               excluded.subject_param, excluded.id_prefix, excluded.limit_group)
        RETURNING t.task_type)
    SELECT count(*) INTO _changed FROM written;
    -- Lanes are made now, and not by the first enqueue: in a transaction left open it would hold up all others.
    PERFORM intern_lanes(ARRAY(
        SELECT ROW(NULL, NULL, t.task_type, t.queue, c.class, t.limit_group, NULL, NULL, NULL, NULL, NULL)::task_draft
        FROM task_types t CROSS JOIN generate_series(1, 3) AS c (class) WHERE t.current));
    RETURN _changed;
END $$;
