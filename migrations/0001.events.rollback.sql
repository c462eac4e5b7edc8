DROP TABLE IF EXISTS idempotency_keys;
DROP TABLE IF EXISTS stream_heads;
DROP TYPE IF EXISTS request_key;
DROP TYPE IF EXISTS event_draft;
DROP TABLE IF EXISTS log_epoch;
DROP TABLE IF EXISTS events;
DROP SEQUENCE IF EXISTS events_position;
