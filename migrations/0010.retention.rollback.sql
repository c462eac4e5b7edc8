DROP INDEX IF EXISTS idempotency_keys_created_at;
DROP INDEX IF EXISTS events_retention;
DROP INDEX IF EXISTS events_retained;
DROP TABLE IF EXISTS retention_totals;
DROP TABLE IF EXISTS retention_marks;
