-- Agents; replaced by the coverage subject's own migration before anything is released.

CREATE TABLE IF NOT EXISTS agents (agent_id uuid PRIMARY KEY, version integer NOT NULL);
