-- Roles of a shared server: app writes through functions only, reader reads, archiver exports.
--
-- Roles belong to the whole cluster, so they are made when the migrating role may make roles, and
-- granted to when they exist. With a single role, as in the embedded default, the triggers alone
-- protect the log.
--
--   SET ROLE annals_reader; SELECT count(*) FROM events;

DO $$
DECLARE
    _role text;
BEGIN
    IF (SELECT r.rolcreaterole OR r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        FOREACH _role IN ARRAY ARRAY['annals_app', 'annals_reader', 'annals_archiver'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = _role) THEN
                BEGIN
                    EXECUTE format('CREATE ROLE %I NOLOGIN', _role);
                EXCEPTION WHEN duplicate_object OR unique_violation THEN
                    NULL;  -- another database of the cluster migrates at the same moment
                END;
            END IF;
        END LOOP;
    END IF;
    REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA public FROM PUBLIC;
    REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
    FOR _role IN SELECT r.rolname FROM pg_roles r WHERE r.rolname IN ('annals_app', 'annals_reader', 'annals_archiver') LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', _role);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA public TO %I', _role);
        -- The end of the log, which views tell; PostgreSQL 15 refuses the look itself.
        EXECUTE format('GRANT SELECT ON SEQUENCE events_position TO %I', _role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION stable_position(), events_after(bigint, integer), priority_class(smallint), '
                       'spoken_duration(real), max_event_bytes(), fence_tag(), default_actor(), event_bytes(events), '
                       'table_kinds(), fold_task(background_tasks, events), task_state(events) TO %I', _role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION require_settled(bigint), position_at(timestamptz), task_at(text, bigint), '
                       'task_at(text, timestamptz), tasks_at(bigint, text[]), tasks_at(timestamptz, text[]), queue_depth_at(bigint), '
                       'queue_depth_at(timestamptz), '
                       'task_matches(background_tasks, text[], text[], text, text, timestamptz, timestamptz, text) TO %I', _role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION error_pattern(text), error_frame(text), error_fingerprint(text, text, text, text), '
                       'errors_between(bigint, bigint), event_time(events), diff_tasks(bigint, bigint), diff_errors(bigint, bigint), '
                       'diff_queues(bigint, bigint), diff_coverage(bigint, bigint), diff_events(bigint, bigint) TO %I', _role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION task_history(text, bigint), task_time_spent(text, bigint, timestamptz), '
                       'task_spells(text, bigint, timestamptz), '
                       'removal_of_task(text), reaching_events(text, text[]), last_sign_of_life(text), queue_pauses(text), '
                       'retention_whats(), retention_over(text, bigint), retention_of_task(text), status_after(text), '
                       'event_reason(text, jsonb), spoken_span(double precision), counted(bigint, text, text), json_time(timestamptz), '
                       'why_pending(text, timestamptz), why_running(background_tasks, timestamptz), why_over(text, timestamptz), '
                       'waiting_facts(background_tasks, timestamptz), waiting_causes(jsonb), worker_facts(text, text, timestamptz), '
                       'database_facts(), task_rank(text, timestamptz), queue_pace(text, smallint, timestamptz) TO %I', _role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION webhook_endpoint(text), webhook_id(events), deliveries_of_task(text), webhook_body(bigint), webhook_drafts(bigint[]), '
                       'webhook_ends(bigint, bigint), webhooks_so_far(text[]), last_webhook_number(text), next_delivery_at(timestamptz), '
                       'due_deliveries(text[], text[], text[], integer, integer, timestamptz) TO %I', _role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION histogram_bounds(), bucket_counts(numeric[], integer), add_buckets(bigint[], bigint[]), '
                       'raise_buckets(bigint[], bigint[]), sum_buckets(bigint[]), highest_buckets(bigint[]) TO %I', _role);
        IF _role <> 'annals_app' THEN
            EXECUTE format('REVOKE SELECT ON api_key_hashes, idempotency_keys, webhook_secrets FROM %I', _role);
        END IF;
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'annals_app') THEN
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO annals_app;
        REVOKE EXECUTE ON FUNCTION begin_import(), import_events(bytea), finish_import(bigint) FROM annals_app;
    END IF;
END $$;
