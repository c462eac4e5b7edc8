-- Inside REPEATABLE READ: takes a snapshot, and so keeps every row version that it can still see.
SELECT count(*) FROM log_epoch
