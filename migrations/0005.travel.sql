-- Reading the past: what finds the tasks that were otherwise at a position, and counts kept now and then.
--
-- A row of background_tasks whose changed_position is not above a position is as it was there. The others
-- are found by the positions of their attempts, and where no attempt tells (what was cancelled while it
-- waited, retried by hand, refused, gone with its agent) by the few events that say so. No index here is
-- touched by enqueue, claim and complete, except that a range of attempts is summarised when it is full.
--
--   SELECT task_id, status FROM tasks_at(stable_position(), '{running}');

-- Attempts are written in the order of their ends, so ranges of pages are ranges of positions.
CREATE INDEX IF NOT EXISTS task_attempts_positions ON task_attempts
    USING brin (queued_position, started_position, ended_position) WITH (pages_per_range = 16, autosummarize = on);
-- An index made over an empty table has summarised its first range, and each attempt would then widen that
-- summary, 80 bytes of WAL a row, until the range is full. Like all later ones it waits until then.
DO $$ BEGIN
    PERFORM brin_desummarize_range('task_attempts_positions', 0);
END $$;
-- Events that change a task outside of its attempts.
CREATE INDEX IF NOT EXISTS events_after_the_fact ON events (type, position)
    WHERE type IN ('task.cancelled', 'task.retry_requested', 'task.completion_refused', 'task.abandoned', 'agent.deleted');
CREATE INDEX IF NOT EXISTS events_tasks_of_agents ON events ((data ->> 'subject'), position)
    WHERE type = 'task.enqueued' AND data ->> 'subject' LIKE 'agent:%';

DO $$ BEGIN
    IF to_regtype('lane_count') IS NULL THEN
        CREATE TYPE lane_count AS (lane smallint, status text, tasks bigint);
    END IF;
END $$;

COMMENT ON TYPE lane_count IS 'How many tasks of a lane are in a status';

CREATE TABLE IF NOT EXISTS depth_marks (
    position          bigint       NOT NULL,
    newest_created_at timestamptz,
    counts            lane_count[] NOT NULL,
    CONSTRAINT depth_marks_pkey PRIMARY KEY (position)
);

COMMENT ON TABLE depth_marks IS 'Tasks by lane and status at some positions, so that counts at others need few events; may be emptied at any time';
COMMENT ON COLUMN depth_marks.position IS 'After all events up to this position';
COMMENT ON COLUMN depth_marks.newest_created_at IS 'No task enqueued up to here was created later; null before the first task';
COMMENT ON COLUMN depth_marks.counts IS 'Counts that are not zero';

COMMENT ON INDEX task_attempts_positions IS 'Attempts that were open at a position';
COMMENT ON INDEX events_after_the_fact IS 'What changes a task outside of its attempts, by type';
COMMENT ON INDEX events_tasks_of_agents IS 'Tasks of an agent, also of one that is gone';
COMMENT ON INDEX depth_marks_pkey IS 'Marks by position';
