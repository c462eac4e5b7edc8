-- Has this connection hand its counts to the statistics at the end of the transaction instead of within a second.
SELECT pg_stat_force_next_flush()
