-- The larger of two histograms, bucket by bucket: the step of highest_buckets.
--
--   SELECT raise_buckets('{1,5}', '{3,2}');

CREATE FUNCTION raise_buckets(buckets bigint[], others bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((SELECT array_agg(greatest(u.a, u.b) ORDER BY u.place)
                 FROM unnest(buckets, others) WITH ORDINALITY AS u (a, b, place)), '{}');
