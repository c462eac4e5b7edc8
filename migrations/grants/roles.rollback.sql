-- Takes back what roles.sql granted on the schema itself; everything else goes with the tables and functions.

DO $$
DECLARE
    _role text;
BEGIN
    FOR _role IN SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('annals_app', 'annals_reader', 'annals_archiver') LOOP
        EXECUTE format('REVOKE USAGE ON SCHEMA public FROM %I', _role);
    END LOOP;
END $$;
