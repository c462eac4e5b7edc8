-- The next streams of a type after one, in order, as many as hold together no more than so many events (at least one).
--
-- is_new marks those that began after a position: an audit that looked at them too would never end on a
-- system that enqueues faster than it folds.
--
--   SELECT * FROM next_streams('task', '', streams => 500, events => 5000);

CREATE FUNCTION next_streams(stream_type text, "after" text, streams integer, events bigint, head bigint DEFAULT NULL)
RETURNS TABLE (stream_id text, length bigint, is_new boolean)
LANGUAGE sql STABLE
SET search_path = public, pg_temp SET enable_hashagg = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    SELECT n.stream_id, n.length,
           EXISTS (SELECT FROM events e WHERE e.stream_type = next_streams.stream_type AND e.stream_id = n.stream_id
                   AND e.version = 1 AND e.position > next_streams.head)
    FROM (SELECT s.stream_id, s.length, sum(s.length) OVER (ORDER BY s.stream_id) - s.length AS before
          FROM (SELECT e.stream_id, count(*) AS length FROM events e
                WHERE e.stream_type = next_streams.stream_type AND e.stream_id > next_streams."after"
                GROUP BY e.stream_id ORDER BY e.stream_id LIMIT next_streams.streams) s) n
    WHERE n.before < next_streams.events
    ORDER BY n.stream_id
$$;
