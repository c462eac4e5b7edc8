-- Upper bounds of the buckets of every histogram, in milliseconds; one more bucket holds what is above the last.
--
-- Fixed: arrays that were counted with other bounds cannot be added. To change them, rewind the followers
-- task_counts and event_counts to 0.
--
--   SELECT bucket, bound FROM unnest(histogram_bounds()) WITH ORDINALITY AS b (bound, bucket);

CREATE FUNCTION histogram_bounds() RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{1,5,10,25,50,100,250,500,1000,2500,5000,10000,30000,60000,120000,300000,600000,1800000,3600000}'::bigint[];
