-- A narrow key in the index of streams: 64 bits of hash instead of the text.

ALTER TABLE events DROP CONSTRAINT one_event_per_version;
CREATE UNIQUE INDEX one_event_per_version ON events (hashtextextended(stream_id, 0), version);
