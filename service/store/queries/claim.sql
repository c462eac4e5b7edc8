-- The settled position is read before the claim: the claim's slots depend on it.
WITH settled AS MATERIALIZED (SELECT stable_position() AS position)
SELECT s.position AS settled, c.*
FROM settled s
LEFT JOIN LATERAL claim_tasks(
    $1, $2, $3, CASE WHEN s.position >= 0 THEN $4::integer END, $5, coalesce($6, clock_timestamp())) c ON true
