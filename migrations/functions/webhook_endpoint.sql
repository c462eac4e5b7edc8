-- The endpoint of a URL: normalised, without query and fragment; NULL for what is no http(s) URL without a user.
--
--   SELECT webhook_endpoint('HTTPS://Example.com:443/hook?token=1');

CREATE FUNCTION webhook_endpoint(url text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT lower(p.part[1]) || '://' || lower(rtrim(p.part[2], '.'))
           || CASE WHEN p.part[3] IS NULL OR (lower(p.part[1]), p.part[3]) IN (('http', '80'), ('https', '443')) THEN ''
                   ELSE ':' || p.part[3] END
           || coalesce(p.part[4], '/')
    FROM regexp_match(webhook_endpoint.url,
                      '^(https?)://([^][/?#@:[:space:]]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(/[^?#[:space:]]*)?(?:[?#][^[:space:]]*)?$', 'i') AS p (part)
$$;
