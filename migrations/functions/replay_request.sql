-- Result of an earlier request with the same Idempotency-Key, or NULL for the first.
--
-- The first one leaves a row, locked until its transaction ends, so that a concurrent duplicate waits
-- for it; if that fails, the waiter becomes the first. A write function with a request argument calls
-- this before anything else, and keep_request last.
--
--   SELECT replay_request(('test-key', 'POST /api/v1/tasks', 'k-1', 'hash')::request_key);

CREATE FUNCTION replay_request(request request_key) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    _kept idempotency_keys;
BEGIN
    IF (replay_request.request).key IS NULL THEN
        RETURN NULL;
    ELSIF num_nulls((replay_request.request).api_key, (replay_request.request).route, (replay_request.request).hash) > 0 THEN
        RAISE EXCEPTION 'a request key needs api_key, route, key and hash' USING ERRCODE = 'AN422';
    END IF;
    DELETE FROM idempotency_keys k
    WHERE k.api_key = (replay_request.request).api_key AND k.route = (replay_request.request).route
      AND k.key = (replay_request.request).key AND k.created_at < clock_timestamp() - interval '24 hours';
    INSERT INTO idempotency_keys (api_key, route, key, request_hash)
    VALUES ((replay_request.request).api_key, (replay_request.request).route,
            (replay_request.request).key, (replay_request.request).hash)
    ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING;
    IF FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO _kept FROM idempotency_keys k
    WHERE k.api_key = (replay_request.request).api_key AND k.route = (replay_request.request).route
      AND k.key = (replay_request.request).key;
    IF _kept.request_hash <> (replay_request.request).hash THEN
        RAISE EXCEPTION 'Idempotency-Key % was used for another request', (replay_request.request).key
            USING ERRCODE = 'AN409', HINT = 'Use a new key for a new request.';
    END IF;
    RETURN coalesce(_kept.result, 'null');
END $$;
