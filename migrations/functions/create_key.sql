-- Creates an API key from the SHA-256 of its secret; the secret itself never reaches the database.
--
--   SELECT create_key('ci', sha256('secret'), '{read,write}');

CREATE FUNCTION create_key(
    name       text,
    hash       bytea,
    scopes     text[],
    expires_at timestamptz DEFAULT NULL,
    actor      text        DEFAULT default_actor(),
    at         timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _draft event_draft := ROW('key', create_key.name, 'key.created', jsonb_strip_nulls(jsonb_build_object(
        'key_name', create_key.name, 'scopes', to_jsonb(create_key.scopes), 'expires_at', create_key.expires_at)), NULL, NULL, NULL, NULL);
BEGIN
    IF create_key.name IS NULL OR create_key.name !~ '^[A-Za-z0-9_.-]{1,100}$' THEN
        RAISE EXCEPTION 'not a key name: %', create_key.name USING ERRCODE = 'AN422', HINT = 'Use 1 to 100 letters, digits, or _ . -';
    ELSIF create_key.scopes IS NULL OR create_key.scopes = '{}' OR NOT create_key.scopes <@ ARRAY['read', 'write', 'admin'] THEN
        RAISE EXCEPTION 'not a list of scopes: %', create_key.scopes USING ERRCODE = 'AN422', HINT = 'Use read, write, admin.';
    ELSIF octet_length(create_key.hash) IS DISTINCT FROM 32 THEN
        RAISE EXCEPTION 'the hash of a key is the 32 bytes of its SHA-256' USING ERRCODE = 'AN422';
    END IF;
    PERFORM lock_streams(ARRAY[_draft]);
    IF EXISTS (SELECT FROM api_keys k WHERE k.name = create_key.name) THEN
        RAISE EXCEPTION 'API key % exists already', create_key.name USING ERRCODE = 'AN409', HINT = 'Names stay in the log; choose a new one.';
    END IF;
    IF EXISTS (SELECT FROM api_key_hashes h WHERE h.hash = create_key.hash) THEN
        RAISE EXCEPTION 'another API key has the same secret' USING ERRCODE = 'AN409', HINT = 'Draw a new one.';
    END IF;
    INSERT INTO api_key_hashes (hash, name) VALUES (create_key.hash, create_key.name);
    RETURN (SELECT a.position FROM append_events(ARRAY[_draft], create_key.actor, create_key.at) a);
END $$;
