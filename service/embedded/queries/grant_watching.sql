GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO annals
