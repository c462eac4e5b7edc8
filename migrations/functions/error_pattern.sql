-- An error's message with everything that changes from one occurrence to the next replaced by placeholders.
--
-- Quoted texts, URLs, UUIDs, times, paths, hexadecimal and other numbers become <text>, <url>, <uuid>, <time>,
-- <path>, <hex> and <n>, in this order: what stands inside a quoted text or a path does not count by itself.
-- Digits that belong to a word (utf8, int32) stay. Only the first 1,000 characters are looked at, and a quoted text
-- that is cut off there counts as one; the pattern has at most 200. Every character class is that of the collation
-- "C", so that all servers say the same. A part of error_fingerprint, whose rule about changes holds here too.
--
-- It runs once for every attempt that fails: an expression is only tried on what has a character that it needs.
--
--   SELECT error_pattern('Order 4711 of ''kim@example.com'' not found in /srv/orders/2026-11.json');

CREATE FUNCTION error_pattern(message text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    _text text COLLATE "C" := left(error_pattern.message, 1000);
BEGIN
    IF _text LIKE 'Task timeout exceeded (%)' THEN
        RETURN 'Task timeout exceeded';
    END IF;
    IF _text ~ '["''`“‘「]' THEN
        _text := regexp_replace(_text,
            $re$(?<![[:alnum:]_])[bfru]?("([^"\\]|\\.)*("|$)|'([^'\\]|\\.|''|'[[:alnum:]])*('|$)|`[^`]*`)(?![[:alnum:]_])|“[^”]*”|‘[^’]*’|「[^」]*」$re$, '<text>', 'g');
    END IF;
    IF strpos(_text, '://') > 0 THEN
        _text := regexp_replace(_text,
            $re$[[:alpha:]][[:alnum:]+.-]*://[^[:space:]<>"'),]+$re$, '<url>', 'g');
    END IF;
    IF _text ~ '[0-9a-fA-F]-' THEN
        _text := regexp_replace(_text,
            $re$(?<![[:alnum:]])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![[:alnum:]])$re$, '<uuid>', 'g');
    END IF;
    IF _text ~ '[0-9][:-][0-9]' THEN
        _text := regexp_replace(_text,
            $re$(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z| ?[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{1,2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?)(?![0-9])$re$, '<time>', 'g');
    END IF;
    IF _text ~ '[/\\]' THEN
        _text := regexp_replace(_text,
            $re$(?<![[:alnum:]_.>/\\~-])(~|\.{1,2}|[A-Za-z]:)?[/\\][^[:space:]/\\:,;"'`()<>|][^[:space:]:,;"'`()<>|]*$re$, '<path>', 'g');
    END IF;
    IF _text ~ '[0-9]' THEN
        _text := regexp_replace(_text,
            $re$(?<![[:alnum:]_])(0x[0-9a-fA-F]+|(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,})(?![[:alnum:]_])$re$, '<hex>', 'g');
        _text := regexp_replace(_text,
            $re$((?<![[:alnum:]_>])[-+])?(?<![[:alnum:]])[0-9]+(\.[0-9]+|, ?[0-9]+)*([eE][-+]?[0-9]+)?$re$, '<n>', 'g');
    END IF;
    RETURN left(btrim(regexp_replace(_text, '[[:space:]]+', ' ', 'g')), 200);
END $$;
