CREATE TABLE IF NOT EXISTS schema_objects (
    kind     text NOT NULL,
    identity text NOT NULL,
    CONSTRAINT schema_objects_pkey PRIMARY KEY (kind, identity)
);
COMMENT ON TABLE schema_objects IS 'Functions, views and triggers that the last migrate installed, and the digest of their files';
COMMENT ON COLUMN schema_objects.kind IS 'function, procedure, aggregate, view, materialized view, trigger, or digest';
COMMENT ON COLUMN schema_objects.identity IS 'Name as in DROP <kind> <identity>; of the digest, the SHA-256 over the files';
