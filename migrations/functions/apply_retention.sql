-- Removes the next rows of one kind that are kept no longer: one batch, one event, one transaction.
--
-- The log is walked in order, from where the last batch ended to what was recorded `kept` ago: a row goes when its
-- last change is that old, whatever it was. The rows are locked before the event is appended, and deleted by its
-- fold (project_retention), so that a replay drops the same ones. A stretch in which nothing is to go appends
-- nothing, and is not walked again. Call it until done. removed is what went with this batch.
--
-- A relay names its lease; a person does not. Of two who do the same kind one waits for the other.
--
--   SELECT removed, up_to_position, done FROM apply_retention('tasks', interval '24 hours');

CREATE FUNCTION apply_retention(
    what     text,
    kept     interval,
    batch    integer     DEFAULT 1000,
    relay_id text        DEFAULT NULL,
    term     bigint      DEFAULT NULL,
    actor    text        DEFAULT default_actor(),
    ring     boolean     DEFAULT true,
    at       timestamptz DEFAULT clock_timestamp(),
    OUT removed bigint, OUT up_to_position bigint, OUT end_position bigint, OUT "position" bigint, OUT done boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _what    constant text := apply_retention.what;
    _cutoff  constant timestamptz := apply_retention.at - apply_retention.kept;
    _from    bigint;
    _stretch record;
    _counts  jsonb;
    _data    jsonb;
BEGIN
    IF apply_retention.relay_id IS NOT NULL THEN
        PERFORM require_lease(apply_retention.relay_id, apply_retention.term);
    END IF;
    PERFORM require_retention(_what, apply_retention.kept, apply_retention.batch);
    SELECT m.walked_to INTO _from FROM retention_marks m WHERE m.what = _what FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO retention_marks AS m (what, walked_to)
        SELECT _what, coalesce((SELECT t.up_to_position FROM retention_totals t WHERE t.what = _what), 0)
        ON CONFLICT ON CONSTRAINT retention_marks_pkey DO NOTHING;
        SELECT m.walked_to INTO _from FROM retention_marks m WHERE m.what = _what FOR UPDATE;
    END IF;
    _data := jsonb_build_object('what', _what, 'cutoff', _cutoff);
    IF _what = 'idempotency_keys' THEN
        DELETE FROM idempotency_keys k
        USING (SELECT i.api_key, i.route, i.key FROM idempotency_keys i WHERE i.created_at <= _cutoff
               ORDER BY i.created_at LIMIT apply_retention.batch FOR UPDATE SKIP LOCKED) old
        WHERE (k.api_key, k.route, k.key) = (old.api_key, old.route, old.key);
        GET DIAGNOSTICS removed = ROW_COUNT;
        done := removed < apply_retention.batch;
    ELSE
        SELECT * INTO _stretch FROM retention_stretch(_what, _from, _cutoff, apply_retention.batch);
        up_to_position := _stretch.up_to_position;
        end_position := _stretch.end_position;
        SELECT coalesce(sum(g.tasks), 0), jsonb_agg(jsonb_build_object(
                   'queue', l.queue, 'class', l.class, 'limit_group', l.limit_group, 'status', g.status, 'tasks', g.tasks))
                   FILTER (WHERE l.lane IS NOT NULL)
          INTO removed, _counts
        FROM (SELECT r.lane, r.status, count(*) AS tasks
              FROM rows_of_retention(_what, _stretch.positions, _stretch.stream_ids, _stretch.attempts, lock => true) r
              GROUP BY r.lane, r.status) g
        LEFT JOIN lanes l ON l.lane = g.lane;
        _data := _data || jsonb_strip_nulls(jsonb_build_object(
            'from_position', _from, 'up_to_position', up_to_position, 'counts', _counts));
        done := up_to_position = end_position;
    END IF;
    IF removed > 0 THEN
        SELECT a.position INTO "position" FROM append_events(
            ARRAY[ROW('retention', _what, 'retention.applied', _data || jsonb_build_object('removed', removed), NULL, NULL, NULL, NULL)::event_draft],
            apply_retention.actor, apply_retention.at) a;
        IF apply_retention.ring THEN
            PERFORM pg_notify('annals_events', '');
        END IF;
    END IF;
    UPDATE retention_marks m SET walked_to = apply_retention.up_to_position
    WHERE m.what = _what AND m.walked_to < apply_retention.up_to_position;
END $$;
