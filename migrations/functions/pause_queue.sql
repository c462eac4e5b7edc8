-- Stops claims from a queue; what runs goes on. Pausing a paused queue appends nothing and returns NULL.
--
--   SELECT pause_queue('default', 'deploy');

CREATE FUNCTION pause_queue(
    queue   text,
    reason  text        DEFAULT NULL,
    actor   text        DEFAULT default_actor(),
    at      timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT change_queue(pause_queue.queue, true, pause_queue.reason, pause_queue.actor, false, pause_queue.at) $$;
