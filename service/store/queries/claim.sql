-- The settled position is read before the claim: the claim's slots depend on it. Only a claim that got less than it
-- asked for looks when the next waiting task is due, and after the claim: the count depends on it.
WITH asked AS MATERIALIZED (
    SELECT stable_position() AS settled, coalesce($6, clock_timestamp()) AS at),
claimed AS MATERIALIZED (
    SELECT c.*
    FROM asked a
    CROSS JOIN LATERAL claim_tasks($1, $2, $3, CASE WHEN a.settled >= 0 THEN $4::integer END, $5, a.at) c),
due AS MATERIALIZED (
    SELECT CASE WHEN (SELECT count(*) FROM claimed) < $4::integer THEN next_due_in($2, $3, a.at) END AS due_in
    FROM asked a)
SELECT a.settled, d.due_in, c.*
FROM asked a
CROSS JOIN due d
LEFT JOIN claimed c ON true
