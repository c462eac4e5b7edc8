-- The canonical bytes of an event: what exports, digests and seals are made of, the same on every server.
--
-- A version byte (1), then position, stream_type, stream_id, version, type, data, actor, correlation_id,
-- causation_id, trace, recorded_at: each as a four-byte length and that many bytes, or the length
-- 0xffffffff for NULL. Text is UTF-8, data the text of the jsonb as Postgres prints it, numbers are
-- eight-byte integers, recorded_at is microseconds since 1970. All integers are big-endian.
--
--   SELECT encode(sha256(event_bytes(e)), 'hex') FROM events e ORDER BY e.position DESC LIMIT 1;

CREATE FUNCTION event_bytes(event events) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = public, pg_temp
AS $$
    SELECT '\x01'::bytea || string_agg(coalesce(int4send(length(f.field)) || f.field, '\xffffffff'::bytea), ''::bytea ORDER BY f.ordinality)
    FROM unnest(ARRAY[
        int8send((event_bytes.event).position),
        convert_to((event_bytes.event).stream_type, 'UTF8'),
        convert_to((event_bytes.event).stream_id, 'UTF8'),
        int8send((event_bytes.event).version::bigint),
        convert_to((event_bytes.event).type, 'UTF8'),
        convert_to((event_bytes.event).data::text, 'UTF8'),
        convert_to((event_bytes.event).actor, 'UTF8'),
        convert_to((event_bytes.event).correlation_id, 'UTF8'),
        int8send((event_bytes.event).causation_id),
        convert_to((event_bytes.event).trace, 'UTF8'),
        int8send((extract(epoch FROM (event_bytes.event).recorded_at) * 1000000)::bigint)
    ]) WITH ORDINALITY AS f (field, ordinality)
$$;
