-- Adds one histogram to another, bucket by bucket: the step of sum_buckets. An empty one counts as zeros.
--
--   SELECT add_buckets(bucket_counts('{3}'), bucket_counts('{3, 70}'));

CREATE FUNCTION add_buckets(buckets bigint[], others bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((SELECT array_agg(coalesce(u.a, 0) + coalesce(u.b, 0) ORDER BY u.place)
                 FROM unnest(buckets, others) WITH ORDINALITY AS u (a, b, place)), '{}');
