-- The highest count that each bucket has in any of the histograms: of a total, and of what it was before a rewind.
--
--   SELECT task_type, highest_buckets(wait_buckets) FROM task_totals GROUP BY task_type;

CREATE AGGREGATE highest_buckets(buckets bigint[]) (SFUNC = raise_buckets, STYPE = bigint[], INITCOND = '{}', PARALLEL = SAFE);
