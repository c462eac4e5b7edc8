-- Keeps the result of a request with an Idempotency-Key, in the transaction of its events.
--
--   SELECT keep_request(('test-key', 'POST /api/v1/tasks', 'k-1', 'hash')::request_key, '{"task_id": "task-1"}');

CREATE FUNCTION keep_request(request request_key, result jsonb) RETURNS void
LANGUAGE sql VOLATILE
AS $$
    UPDATE idempotency_keys k SET result = keep_request.result
    WHERE k.api_key = (keep_request.request).api_key AND k.route = (keep_request.request).route
      AND k.key = (keep_request.request).key
$$;
