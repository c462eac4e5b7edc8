-- Pauses or resumes a queue; NULL when it is so already. Call pause_queue or resume_queue.
--
--   SELECT change_queue('default', true, 'deploy', default_actor(), true, now());

CREATE FUNCTION change_queue(queue text, paused boolean, reason text, actor text, ring boolean, at timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    _draft event_draft := ROW('queue', change_queue.queue, CASE WHEN change_queue.paused THEN 'queue.paused' ELSE 'queue.resumed' END,
        jsonb_strip_nulls(jsonb_build_object('queue', change_queue.queue, 'reason', change_queue.reason)), NULL, NULL, NULL, NULL);
    _position bigint;
BEGIN
    IF change_queue.queue IS NULL OR change_queue.queue !~ '^[A-Za-z0-9_.:-]{1,100}$' THEN
        RAISE EXCEPTION 'not a queue name: %', change_queue.queue
            USING ERRCODE = 'AN422', HINT = 'Use 1 to 100 letters, digits, or _ . : -';
    END IF;
    -- Before the lock: it would leave a head of a stream that has no event.
    IF NOT change_queue.paused AND NOT EXISTS (SELECT FROM queues q WHERE q.queue = change_queue.queue) THEN
        RETURN NULL;
    END IF;
    PERFORM lock_streams(ARRAY[_draft]);
    IF change_queue.paused = coalesce((SELECT q.paused FROM queues q WHERE q.queue = change_queue.queue), false) THEN
        RETURN NULL;
    END IF;
    SELECT a.position INTO _position FROM append_events(ARRAY[_draft], change_queue.actor, change_queue.at) a;
    IF change_queue.ring THEN
        PERFORM ring_doorbell('annals_tasks', change_queue.queue || '!');
    END IF;
    RETURN _position;
END $$;
