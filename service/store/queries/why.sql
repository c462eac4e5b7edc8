SELECT task_id, status, blocked, reason, sentence, facts FROM why_pending($1)
