-- The next stretch of the log to look at for one kind of rows: where it ends, where all of it ends, and its events.
--
-- Everything that was recorded by the cutoff and is settled is walked, in stretches of at most "limit" events
-- that matter and 50,000 that do not. The end comes from a statement before the one that reads, so that every
-- event up to it is seen.
--
--   SELECT up_to_position, end_position FROM retention_stretch('tasks', 0, now() - interval '24 hours', 1000);

CREATE FUNCTION retention_stretch(
    what text, "after" bigint, cutoff timestamptz, "limit" integer,
    OUT up_to_position bigint, OUT end_position bigint, OUT positions bigint[], OUT stream_ids text[], OUT attempts integer[])
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
BEGIN
    end_position := require_settled(position_at(retention_stretch.cutoff));
    up_to_position := least(end_position, retention_stretch."after" + 50000);
    SELECT array_agg(e.position), array_agg(e.stream_id), array_agg(e.attempt) INTO positions, stream_ids, attempts
    FROM retention_events(retention_stretch.what, retention_stretch."after", up_to_position, retention_stretch."limit") e;
    IF cardinality(positions) = retention_stretch."limit" THEN
        up_to_position := positions[retention_stretch."limit"];
    END IF;
    up_to_position := greatest(up_to_position, retention_stretch."after");
    end_position := greatest(end_position, retention_stretch."after");
END $$;
