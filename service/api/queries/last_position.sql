-- The highest position that was ever handed out: no cursor of this log lies beyond it.
SELECT coalesce(pg_sequence_last_value('events_position'), 0)
