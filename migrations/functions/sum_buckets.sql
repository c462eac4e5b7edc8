-- The sum of histograms, over the hours and types that are selected.
--
--   SELECT task_type, sum_buckets(duration_buckets) FROM task_counts WHERE hour > now() - interval '1 day' GROUP BY task_type;

CREATE AGGREGATE sum_buckets(buckets bigint[]) (SFUNC = add_buckets, STYPE = bigint[], INITCOND = '{}', PARALLEL = SAFE);
