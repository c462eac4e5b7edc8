-- Revokes an API key: its hash is removed, its name stays in the log.
--
--   SELECT revoke_key('ci', 'leaked');

CREATE FUNCTION revoke_key(
    name   text,
    reason text        DEFAULT NULL,
    actor  text        DEFAULT default_actor(),
    at     timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _draft event_draft := ROW('key', revoke_key.name, 'key.revoked', jsonb_strip_nulls(jsonb_build_object(
        'key_name', revoke_key.name, 'reason', revoke_key.reason)), NULL, NULL, NULL, NULL);
    _key   api_keys;
BEGIN
    IF revoke_key.name IS NULL THEN
        RAISE EXCEPTION 'API key not found: %', revoke_key.name USING ERRCODE = 'AN404';
    END IF;
    PERFORM lock_streams(ARRAY[_draft]);
    SELECT * INTO _key FROM api_keys k WHERE k.name = revoke_key.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'API key not found: %', revoke_key.name USING ERRCODE = 'AN404';
    ELSIF _key.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'API key % is revoked already', revoke_key.name USING ERRCODE = 'AN409';
    END IF;
    DELETE FROM api_key_hashes h WHERE h.name = revoke_key.name;
    RETURN (SELECT a.position FROM append_events(ARRAY[_draft], revoke_key.actor, revoke_key.at) a);
END $$;
