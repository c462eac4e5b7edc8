CREATE TABLE IF NOT EXISTS schema_objects (
    only_row  boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_row),
    digest    text    NOT NULL,
    functions text[]  NOT NULL,
    views     text[]  NOT NULL
);
COMMENT ON TABLE schema_objects IS 'Which functions and views the last migrate installed, and the digest of their files';
COMMENT ON COLUMN schema_objects.only_row IS 'Always true: there is one installation';
COMMENT ON COLUMN schema_objects.digest IS 'SHA-256 over the files; when it is unchanged nothing is installed again';
COMMENT ON COLUMN schema_objects.functions IS 'Names of the installed functions';
COMMENT ON COLUMN schema_objects.views IS 'Names of the installed views';
