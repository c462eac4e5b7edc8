-- What did people do lately, by hand or through the API?
SELECT l.position, l.recorded_at::timestamptz(0), l.actor, l.action, l.target, l.reason
FROM audit_log l
ORDER BY l.position DESC
LIMIT 20;
