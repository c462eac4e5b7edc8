-- Inside REPEATABLE READ: takes a snapshot, and so keeps every row version that it can still see.
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT count(*) FROM pg_database
