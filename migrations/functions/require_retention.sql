-- Refuses a kind of rows, an age or a size of batch that retention does not know.
--
--   SELECT require_retention('tasks', interval '24 hours', 1000);

CREATE FUNCTION require_retention(what text, kept interval, batch integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF require_retention.what IS NULL OR NOT EXISTS (SELECT FROM retention_whats() w WHERE w.what = require_retention.what) THEN
        RAISE EXCEPTION 'retention knows no %', coalesce(require_retention.what, 'NULL') USING ERRCODE = 'AN422',
            HINT = (SELECT format('There are: %s.', string_agg(w.what, ', ')) FROM retention_whats() w);
    ELSIF require_retention.kept IS NULL OR require_retention.kept < interval '0' THEN
        RAISE EXCEPTION 'rows cannot be kept for %', coalesce(require_retention.kept::text, 'NULL')
            USING ERRCODE = 'AN422', HINT = 'Say for how long after their last change, as interval ''24 hours''.';
    ELSIF require_retention.batch IS NULL OR NOT require_retention.batch BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'a batch of % rows is not from 1 to 10000', coalesce(require_retention.batch::text, 'NULL')
            USING ERRCODE = 'AN422', HINT = 'A batch is one transaction, so it is to be small; the rest is for the next one.';
    END IF;
END $$;
