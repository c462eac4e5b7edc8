DROP INDEX IF EXISTS events_by_hand;
DROP INDEX IF EXISTS events_of_request;
