DROP INDEX IF EXISTS background_tasks_webhook_failures;
DROP INDEX IF EXISTS events_webhook_failures;
DROP INDEX IF EXISTS events_webhook_sequence;
DROP INDEX IF EXISTS events_with_webhook;
DROP TABLE IF EXISTS webhook_secrets;
DROP TABLE IF EXISTS webhook_endpoints;
DROP TABLE IF EXISTS webhook_deliveries;
DROP TYPE IF EXISTS webhook_draft;
