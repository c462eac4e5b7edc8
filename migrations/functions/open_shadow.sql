-- Makes the schema shadow anew: an empty copy of the log and its read models, folded by the same triggers.
--
-- Folds name their tables unqualified, so events inserted into shadow.events with search_path = shadow,
-- public are folded beside the real rows. The copy has no fence, no immutability and no default for
-- positions: what is inserted there has happened already, and a caller rolls it back. Unlogged, and
-- without the indexes that only readers need: the events there have the one of their positions, for the
-- fold of retention. Pages are filled as the real ones are, or no update of a fold could stay on its page.
-- Called at the end of every migrate.
--
--   SELECT open_shadow();

CREATE FUNCTION open_shadow() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET client_min_messages = warning AS $$
DECLARE
    _table text;
    _rule  record;
BEGIN
    DROP SCHEMA IF EXISTS shadow CASCADE;
    CREATE SCHEMA shadow;
    COMMENT ON SCHEMA shadow IS 'Where audits fold stretches of the log; empty between them';
    FOR _table IN SELECT k.table_name FROM table_kinds() k
                  WHERE k.kind IN ('log', 'read model') AND to_regclass('public.' || k.table_name) IS NOT NULL
    LOOP
        EXECUTE format('CREATE UNLOGGED TABLE shadow.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)',
                       _table, _table);
        -- By their own names: a fold says ON CONFLICT ON CONSTRAINT, and LIKE would choose others.
        FOR _rule IN SELECT c.conname AS name, pg_get_constraintdef(c.oid) AS definition FROM pg_constraint c
                     WHERE c.conrelid = ('public.' || _table)::regclass AND (c.contype = 'p' OR c.contype = 'u' AND _table <> 'events')
        LOOP
            EXECUTE format('ALTER TABLE shadow.%I ADD CONSTRAINT %I %s', _table, _rule.name, _rule.definition);
        END LOOP;
        FOR _rule IN SELECT o.option_name AS name, o.option_value AS value
                     FROM pg_class c CROSS JOIN pg_options_to_table(c.reloptions) o
                     WHERE c.oid = ('public.' || _table)::regclass AND o.option_name = 'fillfactor'
        LOOP
            EXECUTE format('ALTER TABLE shadow.%I SET (%I = %s)', _table, _rule.name, _rule.value);
        END LOOP;
    END LOOP;
    ALTER TABLE shadow.events ALTER position DROP DEFAULT;
    FOR _rule IN SELECT t.tgname AS name, t.tgfoid::regproc AS function FROM pg_trigger t
                 WHERE t.tgrelid = 'public.events'::regclass AND t.tgnewtable IS NOT NULL AND NOT t.tgisinternal
    LOOP
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON shadow.events REFERENCING NEW TABLE AS appended '
                       'FOR EACH STATEMENT EXECUTE FUNCTION %s()', _rule.name, _rule.function);
    END LOOP;
END $$;
