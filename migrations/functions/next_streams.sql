-- The next streams of a type after one, in order, as many as hold together no more than so many events (at least one).
--
--   SELECT * FROM next_streams('task', '', streams => 500, events => 5000);

CREATE FUNCTION next_streams(stream_type text, "after" text, streams integer, events bigint)
RETURNS TABLE (stream_id text, length bigint)
LANGUAGE sql STABLE
SET search_path = public, pg_temp SET enable_hashagg = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    SELECT n.stream_id, n.length
    FROM (SELECT s.stream_id, s.length, sum(s.length) OVER (ORDER BY s.stream_id) - s.length AS before
          FROM (SELECT e.stream_id, count(*) AS length FROM events e
                WHERE e.stream_type = next_streams.stream_type AND e.stream_id > next_streams."after"
                GROUP BY e.stream_id ORDER BY e.stream_id LIMIT next_streams.streams) s) n
    WHERE n.before < next_streams.events
    ORDER BY n.stream_id
$$;
