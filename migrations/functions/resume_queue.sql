-- Lets claims take from a paused queue again, and wakes its workers. Returns NULL when it was not paused.
--
--   SELECT resume_queue('default', 'deploy is done');

CREATE FUNCTION resume_queue(
    queue   text,
    reason  text        DEFAULT NULL,
    actor   text        DEFAULT default_actor(),
    ring    boolean     DEFAULT true,
    at      timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT change_queue(resume_queue.queue, false, resume_queue.reason, resume_queue.actor, resume_queue.ring, resume_queue.at) $$;
