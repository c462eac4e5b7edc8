-- Makes the schema shadow anew: an empty copy of the log and its read models, folded by the same triggers.
--
-- Folds name their tables unqualified, so events inserted into shadow.events with search_path = shadow,
-- public are folded beside the real rows. The copy has no fence, no immutability and no default for
-- positions: what is inserted there has happened already, and a caller rolls it back. Unlogged, and only with
-- the keys of the real tables: the events have the one of their positions, for the fold of retention.
-- Called at the end of every migrate.
--
--   SELECT open_shadow();

CREATE FUNCTION open_shadow() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET client_min_messages = warning AS $$
DECLARE
    _rule record;
BEGIN
    DROP SCHEMA IF EXISTS shadow CASCADE;
    CREATE SCHEMA shadow;
    COMMENT ON SCHEMA shadow IS 'Where audits fold stretches of the log; empty between them';
    PERFORM copy_shape(k.table_name, format('shadow.%I', k.table_name), 'UNLOGGED') FROM table_kinds() k
    WHERE k.kind IN ('log', 'read model') AND to_regclass('public.' || k.table_name) IS NOT NULL;
    ALTER TABLE shadow.events ALTER position DROP DEFAULT;
    FOR _rule IN SELECT t.tgname AS name, t.tgfoid::regproc AS function FROM pg_trigger t
                 WHERE t.tgrelid = 'public.events'::regclass AND t.tgnewtable IS NOT NULL AND NOT t.tgisinternal
    LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON shadow.events REFERENCING NEW TABLE AS appended '
                       'FOR EACH STATEMENT EXECUTE FUNCTION %s()', _rule.name, _rule.function);
    END LOOP;
END $$;
