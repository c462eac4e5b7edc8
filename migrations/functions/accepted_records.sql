-- The events that handlers recorded and that may be appended, given how their attempts ended.
--
-- [{task_id, type, stream_type, stream_id, data, keep_if_cancelled}]: those of completed attempts, and
-- those of cancelled ones that were recorded to survive it. Streams whose rows the service
-- lives by are not for handlers to write: a webhook, say, would be sent.
--
--   SELECT * FROM unnest(accepted_records('[]', '{}'));

CREATE FUNCTION accepted_records(records jsonb, verdicts verdict[]) RETURNS event_draft[]
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF jsonb_path_exists(accepted_records.records, '$[*] ? (@.type() != "object")')
       OR jsonb_path_exists(accepted_records.records, '$[*] ? (!(@.task_id.type() == "string" && @.type.type() == "string" && @.stream_type.type() == "string" && @.stream_id.type() == "string") || @.stream_type like_regex "^(task|queue|key|worker|schedule|follower|webhook|endpoint|retention|projection)$" || exists(@.data ? (@.type() != "object" && @.type() != "null")))') THEN
        RAISE EXCEPTION 'a record needs task_id, type, stream_type and stream_id, and may not write to a stream of the service'
            USING ERRCODE = 'AN422', HINT = 'The four are texts, data is an object; tasks, queues, keys, workers, webhooks and the like have functions of their own.';
    END IF;
    RETURN ARRAY(
        SELECT ROW(r.stream_type, r.stream_id, r.type, coalesce(r.data, '{}'), (v.change).correlation_id, NULL, NULL, r.task_id)::event_draft
        FROM jsonb_array_elements(accepted_records.records) WITH ORDINALITY AS g (record, ordinality)
        CROSS JOIN LATERAL jsonb_to_record(g.record) AS r (
            task_id text, type text, stream_type text, stream_id text, data jsonb, keep_if_cancelled boolean)
        JOIN unnest(accepted_records.verdicts) v ON v.task_id = r.task_id
        WHERE v.outcome = 'completed' OR v.outcome = 'cancelled' AND r.keep_if_cancelled
        ORDER BY g.ordinality);
END $$;
