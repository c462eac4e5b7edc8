-- Where an error was raised, as people look for it: the innermost frame of a Python traceback in code of one's own.
--
-- "directory/file:function", without the line, so that an edit above it changes nothing, and without the place
-- where the code is installed; digits of the directory (a release, a date) do not count. Own is what lies neither
-- in the standard library nor in site-packages nor among the parts of this service that run tasks; when there is
-- no such frame, the innermost of all. Of chained exceptions the last one counts, which is the one that was
-- raised; of a group its own frames, not those of its members. A frame of a list comprehension, which only some
-- releases of Python have, is passed over. NULL when there is no frame: no traceback, or not one of Python's.
-- Cut up by plain string functions from the end: a regular expression over the whole traceback took three times
-- as long as everything else that folds a failure.
--
--   SELECT error_frame(E'Traceback (most recent call last):\n  File "/srv/shop/billing/tasks.py", line 7, in charge\nValueError: no');

CREATE FUNCTION error_frame(traceback text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    _library  constant text := '/(site|dist)-packages/|/lib(64)?/python[0-9.]+t?/|/Lib/|^<|/service/(worker|store|model)/';
    _raised   text[] := string_to_array(split_part(error_frame.traceback, '+-+---', 1), 'Traceback (most recent call last):');
    _frames   text[] := string_to_array(_raised[cardinality(_raised)], 'File "');
    _line     text;
    _place    text COLLATE "C";
    _is_own   boolean;
    _file     text COLLATE "C";
    _function text;
BEGIN
    FOR _n IN REVERSE coalesce(cardinality(_frames), 0) .. 2 LOOP
        _line := split_part(_frames[_n], E'\n', 1);
        CONTINUE WHEN _line NOT LIKE '%", line %, in _%' OR _line LIKE '%, in <%comp>';
        _place := replace(split_part(_line, '"', 1), '\', '/');
        _is_own := _place !~ _library;
        IF _is_own OR _file IS NULL THEN
            _file := _place;
            _function := btrim(split_part(_line, ', in ', 2));
        END IF;
        EXIT WHEN _is_own;
    END LOOP;
    RETURN regexp_replace(substring(_file from '(?:[^/]+/)?[^/]+$'), '[0-9]+(?=[^/]*/)', '<n>', 'g') || ':' || _function;
END $$;
