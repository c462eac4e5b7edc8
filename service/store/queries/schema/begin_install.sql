-- Writers wait from here to the commit, a fraction of a second, and then go on with the new functions. The lock
-- is taken first, in one piece: taken trigger by trigger it could deadlock with a writer.
DO $$
BEGIN
    SET LOCAL check_function_bodies = off;
    SET LOCAL client_min_messages = warning;
    IF to_regclass('public.events') IS NOT NULL THEN
        LOCK TABLE events IN ACCESS EXCLUSIVE MODE;
    END IF;
END $$
