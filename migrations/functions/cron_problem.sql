-- What is wrong with a cron expression: the name of its first bad field, or NULL when all five are well formed.
--
-- Five fields (minute, hour, day of month, month, day of week) of numbers, names, *, ranges, lists and steps;
-- L and LW as day of month, 5L and 2#1 as day of week. What no form can tell (30 February) is left to the relay.
--
--   SELECT cron_problem('0 25 * * *');

CREATE FUNCTION cron_problem(cron text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    _fields text[] := regexp_split_to_array(btrim(upper(cron_problem.cron)), '\s+');
    _value  text;
    _item   text;
    _rule   record;
BEGIN
    IF cron_problem.cron IS NULL OR cardinality(_fields) <> 5 OR cron_problem.cron !~ '\S' THEN
        RETURN 'number of fields';
    END IF;
    FOR _rule IN SELECT * FROM (VALUES
        (1, 'minute', '0?[0-9]|[1-5][0-9]', NULL),
        (2, 'hour', '0?[0-9]|1[0-9]|2[0-3]', NULL),
        (3, 'day of month', '0?[1-9]|[12][0-9]|3[01]', 'L|LW'),
        (4, 'month', '0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC', NULL),
        (5, 'day of week', '[0-7]|SUN|MON|TUE|WED|THU|FRI|SAT', '[0-7]L|(?:[0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#[1-5]')
    ) AS r (place, name, value, special) ORDER BY r.place
    LOOP
        _value := format('(?:%s)', _rule.value);
        _item := format('(?:(?:\*|%1$s|%1$s-%1$s)(?:/0*[1-9][0-9]?)?%2$s)', _value, coalesce('|' || _rule.special, ''));
        IF _fields[_rule.place] !~ format('^%1$s(?:,%1$s)*$', _item) THEN
            RETURN _rule.name;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
