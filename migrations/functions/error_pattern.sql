-- An error's message with everything that changes from one occurrence to the next replaced by placeholders.
--
-- Quoted texts, URLs, UUIDs, times, paths, hexadecimal and other numbers become <text>, <url>, <uuid>, <time>,
-- <path>, <hex> and <n>, in this order: what stands inside a quoted text or a path does not count by itself.
-- Digits that belong to a word (utf8, int32) stay. Only the first 1,000 characters are looked at, and a quoted text
-- that is cut off there counts as one; the pattern has at most 200. Every character class is that of the collation
-- "C", so that all servers say the same. A part of error_fingerprint, whose rule about changes holds here too.
--
--   SELECT error_pattern('Order 4711 of ''kim@example.com'' not found in /srv/orders/2026-11.json');

CREATE FUNCTION error_pattern(message text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT CASE WHEN error_pattern.message LIKE 'Task timeout exceeded (%)' THEN 'Task timeout exceeded' ELSE
        left(btrim(
        regexp_replace(
        regexp_replace(
        regexp_replace(
        regexp_replace(
        regexp_replace(
        regexp_replace(
        regexp_replace(
        regexp_replace(left(error_pattern.message, 1000) COLLATE "C",
            $re$(?<![[:alnum:]_])[bfru]?("([^"\\]|\\.)*("|$)|'([^'\\]|\\.|''|'[[:alnum:]])*('|$)|`[^`]*`)(?![[:alnum:]_])|“[^”]*”|‘[^’]*’|「[^」]*」$re$, '<text>', 'g'),
            $re$[[:alpha:]][[:alnum:]+.-]*://[^[:space:]<>"'),]+$re$, '<url>', 'g'),
            $re$(?<![[:alnum:]])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![[:alnum:]])$re$, '<uuid>', 'g'),
            $re$(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?(Z| ?[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{1,2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?)(?![0-9])$re$, '<time>', 'g'),
            $re$(?<![[:alnum:]_.>/\\~-])(~|\.{1,2}|[A-Za-z]:)?[/\\][^[:space:]/\\:,;"'`()<>|][^[:space:]:,;"'`()<>|]*$re$, '<path>', 'g'),
            $re$(?<![[:alnum:]_])(0x[0-9a-fA-F]+|(?=[0-9a-fA-F]*[0-9])[0-9a-fA-F]{8,})(?![[:alnum:]_])$re$, '<hex>', 'g'),
            $re$((?<![[:alnum:]_>])[-+])?(?<![[:alnum:]])[0-9]+(\.[0-9]+|, ?[0-9]+)*([eE][-+]?[0-9]+)?$re$, '<n>', 'g'),
            '[[:space:]]+', ' ', 'g')), 200) END
$$;
