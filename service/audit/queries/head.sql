SELECT coalesce(pg_sequence_last_value('events_position'), 0)
