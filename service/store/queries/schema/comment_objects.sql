DO $$
DECLARE
    _object jsonb;
BEGIN
    FOR _object IN SELECT * FROM jsonb_array_elements(current_setting('annals.comments')::jsonb) LOOP
        EXECUTE format('COMMENT ON %s %s IS %L', _object ->> 0, _object ->> 1, _object ->> 2);
    END LOOP;
END $$
