-- How did the coverage of an agent develop?
SELECT h.timestamp::timestamptz(0) AS measured_at, h.overall_coverage AS percent,
       h.overall_coverage - lag(h.overall_coverage) OVER (ORDER BY h.timestamp, h.history_id) AS change,
       h.total_documents AS documents, h.total_chunks AS chunks
FROM coverage_history h
JOIN agents a USING (agent_id)
WHERE :'agent' IN (a.name, a.agent_id::text)
ORDER BY h.timestamp DESC, h.history_id DESC
LIMIT 20;
