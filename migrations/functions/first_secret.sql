-- Makes the default secret when there is none yet; true when it did. A relay calls it when it starts.
--
--   SELECT first_secret('whsec_c2VjcmV0IG9mIHR3ZW50eSBmb3VyIGJ5dGVz');

CREATE FUNCTION first_secret(secret text, actor text DEFAULT 'relay', at timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    FOR _look IN 1 .. 2 LOOP
        IF EXISTS (SELECT FROM webhook_secrets s WHERE s.scope = 'default' AND s.expires_at IS NULL) THEN
            RETURN false;
        END IF;
        -- Of two that start at once the second looks again when the first has committed.
        PERFORM pg_advisory_xact_lock(hashtext('annals_webhooks'), hashtext('default'));
    END LOOP;
    PERFORM rotate_secret('default', first_secret.secret, 0, 'the first one', first_secret.actor, false, first_secret.at);
    RETURN true;
END $$;
