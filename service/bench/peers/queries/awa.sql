-- Jobs that Awa has left, from its physical tables: its view of jobs takes half a second at 20,000.
SELECT (SELECT count(*) FROM awa.ready_entries) - (SELECT count(*) FROM awa.done_entries)
       - coalesce((SELECT sum(completed_count) FROM awa.receipt_completion_batches), 0)
