-- In how many seconds the next waiting task of these types becomes due in these queues; NULL when none waits for a time.
--
-- One probe of an index for each lane, however many wait. What is due already does not count: a claim has just
-- looked for it, and what that could not take (another worker has it, or takes it) must not wake its caller again
-- at once. Where the first hundred of a lane are all of types that nobody asked for, the time of the hundredth
-- stands for what comes after. Seconds instead of a time, so that the clocks of two hosts are never compared.
-- The plans are generic: made anew for each call, they would cost six times as much as the look itself.
--
--   SELECT next_due_in('{default}', '{noop}');

CREATE FUNCTION next_due_in(queues text[], task_types text[], at timestamptz DEFAULT clock_timestamp()) RETURNS double precision
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    _lane  smallint;
    _first timestamptz;
    _type  text;
    _next  timestamptz;
BEGIN
    FOR _lane IN
        SELECT l.lane FROM lanes l
        WHERE l.queue = ANY (next_due_in.queues)
          AND NOT EXISTS (SELECT FROM queues q WHERE q.queue = l.queue AND q.paused)
    LOOP
        SELECT t.run_at, t.task_type INTO _first, _type FROM background_tasks t
        WHERE t.lane = _lane AND t.status = 'pending' AND t.ready_position IS NULL AND t.run_at > next_due_in.at
        ORDER BY t.run_at LIMIT 1;
        IF _type <> ALL (next_due_in.task_types) THEN
            SELECT w.run_at INTO _first
            FROM (SELECT t.run_at, t.task_type, row_number() OVER (ORDER BY t.run_at) AS place
                  FROM background_tasks t
                  WHERE t.lane = _lane AND t.status = 'pending' AND t.ready_position IS NULL AND t.run_at > next_due_in.at
                  ORDER BY t.run_at LIMIT 100) w
            WHERE w.task_type = ANY (next_due_in.task_types) OR w.place = 100
            ORDER BY w.run_at LIMIT 1;
        END IF;
        _next := least(_next, _first);
    END LOOP;
    RETURN CASE WHEN _next NOTNULL THEN greatest(extract(epoch FROM _next - clock_timestamp()), 0) END;
END $$;
