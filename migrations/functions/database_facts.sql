-- What may hold the whole service up, as facts: how far the log is settled, and the oldest open transactions.
--
-- Sessions of other roles tell the age of their transactions only to members of pg_read_all_stats. NULL on a standby,
-- which knows neither.
--
--   SELECT jsonb_pretty(database_facts());

CREATE FUNCTION database_facts() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    _head bigint;
BEGIN
    IF pg_is_in_recovery() THEN
        RETURN NULL;
    END IF;
    _head := coalesce(pg_sequence_last_value('events_position'), 0);
    RETURN jsonb_build_object(
        'head', _head,
        'unsettled', greatest(_head - stable_position(), 0),
        'oldest_append_seconds', (SELECT max(extract(epoch FROM o.open_for))::float8 FROM open_appends o),
        'longest_transaction', (
            SELECT jsonb_build_object('pid', a.pid, 'application_name', a.application_name, 'state', a.state,
                                      'seconds', extract(epoch FROM clock_timestamp() - a.xact_start)::float8)
            FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
              AND a.backend_type = 'client backend'
            ORDER BY a.xact_start LIMIT 1));
END $$;
