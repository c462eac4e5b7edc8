-- Puts a new secret in force for signing webhooks; the one before signs beside it for overlap_seconds.
--
-- scope is default, endpoint:<URL> or key:<name of an API key>; the most special one that has a secret signs. The
-- secret itself stays out of the log.
--
--   SELECT * FROM rotate_secret('default', 'whsec_c2VjcmV0IG9mIHR3ZW50eSBmb3VyIGJ5dGVz', reason => 'it leaked');

CREATE FUNCTION rotate_secret(
    scope           text,
    secret          text,
    overlap_seconds double precision DEFAULT 86400,
    reason          text             DEFAULT NULL,
    actor           text             DEFAULT default_actor(),
    ring            boolean          DEFAULT true,
    at              timestamptz      DEFAULT clock_timestamp()
) RETURNS TABLE (secret_id bigint, scope_of text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _endpoint text := CASE WHEN rotate_secret.scope LIKE 'endpoint:%' THEN webhook_endpoint(substr(rotate_secret.scope, 10)) END;
    _scope    text := coalesce('endpoint:' || _endpoint, rotate_secret.scope);
    _draft    event_draft;
    _id       bigint;
BEGIN
    IF rotate_secret.scope IS NULL OR rotate_secret.scope !~ '^(default|endpoint:.+|key:.+)$' OR length(rotate_secret.scope) > 2100
       OR (rotate_secret.scope LIKE 'endpoint:%' AND _endpoint IS NULL)
       OR (rotate_secret.scope LIKE 'key:%' AND NOT EXISTS (SELECT FROM api_keys k WHERE k.name = substr(rotate_secret.scope, 5))) THEN
        RAISE EXCEPTION 'no such scope of secrets: %', rotate_secret.scope
            USING ERRCODE = 'AN422', HINT = 'It is default, endpoint:<URL>, or key:<name of an API key>.';
    ELSIF rotate_secret.secret IS NULL OR rotate_secret.secret !~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$' THEN
        RAISE EXCEPTION 'a secret is whsec_ and 24 to 64 bytes in base64'
            USING ERRCODE = 'AN422', HINT = 'Make one: annals webhooks secret rotate.';
    ELSIF rotate_secret.overlap_seconds IS NULL OR NOT rotate_secret.overlap_seconds BETWEEN 0 AND 31536000 THEN
        RAISE EXCEPTION 'overlap_seconds is 0 to 31536000' USING ERRCODE = 'AN422';
    END IF;
    _draft := ROW('endpoint', coalesce(_endpoint, _scope), 'secret.rotated', jsonb_strip_nulls(jsonb_build_object(
                      'scope', _scope, 'reason', rotate_secret.reason, 'overlap_seconds', rotate_secret.overlap_seconds)),
                  NULL, NULL, NULL, NULL);
    PERFORM lock_streams(ARRAY[_draft]);
    UPDATE webhook_secrets s SET expires_at = rotate_secret.at + make_interval(secs => rotate_secret.overlap_seconds)
    WHERE s.scope = _scope AND s.expires_at IS NULL;
    INSERT INTO webhook_secrets AS s (scope, secret, created_at) VALUES (_scope, rotate_secret.secret, rotate_secret.at)
    RETURNING s.secret_id INTO _id;
    RETURN QUERY SELECT _id, _scope, a.position FROM append_events(ARRAY[_draft], rotate_secret.actor, rotate_secret.at) a;
    IF rotate_secret.ring THEN
        PERFORM ring_doorbell('annals_webhooks');
    END IF;
END $$;
