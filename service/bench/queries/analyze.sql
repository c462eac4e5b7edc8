-- What autovacuum would have done before long: statistics of tables that were empty a moment ago.
ANALYZE
