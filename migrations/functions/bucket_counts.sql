-- How many of these milliseconds lie in each bucket of histogram_bounds(); NULLs are left out.
--
-- Each counts as sign, which is -1 to take them off again. A value that equals a bound belongs below it, as Prometheus wants: to the microsecond, in whole numbers.
--
--   SELECT bucket_counts('{0.5, 1, 1.001, 9999999}');

CREATE FUNCTION bucket_counts(milliseconds numeric[], sign integer DEFAULT 1) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT array_agg(coalesce(f.values, 0) * bucket_counts.sign ORDER BY b.bucket)
    FROM generate_series(0, cardinality(histogram_bounds())) AS b (bucket)
    LEFT JOIN (SELECT width_bucket(ceil(m * 1000) - 1, (SELECT array_agg(x * 1000.0) FROM unnest(histogram_bounds()) x)) AS bucket,
                      count(*) AS values
               FROM unnest(bucket_counts.milliseconds) m WHERE m IS NOT NULL GROUP BY 1) f ON f.bucket = b.bucket
$$;
