-- What apply_retention would remove next, when nothing is removed: one batch after a position, or after the last one.
--
-- Asked again with up_to_position until done, it gives what all batches would remove together.
--
--   SELECT removed, up_to_position, done FROM preview_retention('tasks', interval '24 hours');

CREATE FUNCTION preview_retention(
    what    text,
    kept    interval,
    batch   integer     DEFAULT 1000,
    "after" bigint      DEFAULT NULL,
    at      timestamptz DEFAULT clock_timestamp(),
    OUT removed bigint, OUT up_to_position bigint, OUT end_position bigint, OUT done boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _cutoff  constant timestamptz := preview_retention.at - preview_retention.kept;
    _stretch record;
BEGIN
    PERFORM require_retention(preview_retention.what, preview_retention.kept, preview_retention.batch);
    IF preview_retention.what = 'idempotency_keys' THEN
        removed := (SELECT count(*) FROM idempotency_keys k WHERE k.created_at <= _cutoff);
        done := true;
        RETURN;
    END IF;
    SELECT * INTO _stretch FROM retention_stretch(
        preview_retention.what,
        coalesce(preview_retention."after", (SELECT m.walked_to FROM retention_marks m WHERE m.what = preview_retention.what), 0),
        _cutoff, preview_retention.batch);
    removed := (SELECT count(*) FROM rows_of_retention(
        preview_retention.what, _stretch.positions, _stretch.stream_ids, _stretch.attempts, lock => false));
    up_to_position := _stretch.up_to_position;
    end_position := _stretch.end_position;
    done := up_to_position = end_position;
END $$;
