-- Agents, what they cover, and how well: the read models agents and coverage_history, and the content
-- stores taxonomy, documents and chunks.
--
-- Agents and coverage_history are folded from the log. Taxonomies and documents are content: they are
-- written by import_taxonomy and import_documents without events, and no fold reads them.
--
--   SELECT name, coverage_percent, total_documents, last_coverage_update FROM agents ORDER BY created_position DESC;

CREATE TABLE IF NOT EXISTS agents (
    agent_id             uuid             NOT NULL,
    created_position     bigint           NOT NULL,
    created_at           timestamptz      NOT NULL,
    taxonomy_version     text             NOT NULL,
    taxonomy_node_ids    uuid[]           NOT NULL,
    name                 text             NOT NULL,
    scope_description    text,
    retrieval_config     jsonb            NOT NULL,
    features_config      jsonb            NOT NULL,
    targets              jsonb            NOT NULL DEFAULT '{}',
    updated_at           timestamptz      NOT NULL,
    version              integer          NOT NULL,
    level                smallint         NOT NULL DEFAULT 1,
    current_xp           integer          NOT NULL DEFAULT 0,
    total_documents      integer          NOT NULL DEFAULT 0,
    total_chunks         integer          NOT NULL DEFAULT 0,
    coverage_percent     numeric(5, 2)    NOT NULL DEFAULT 0,
    last_coverage_update timestamptz,
    total_queries        integer          NOT NULL DEFAULT 0,
    successful_queries   integer          NOT NULL DEFAULT 0,
    avg_faithfulness     double precision,
    avg_response_time_ms double precision,
    last_query_at        timestamptz,
    CONSTRAINT agents_pkey PRIMARY KEY (agent_id),
    CONSTRAINT level_is_1_to_5 CHECK (level BETWEEN 1 AND 5),
    CONSTRAINT current_xp_is_not_negative CHECK (current_xp >= 0),
    CONSTRAINT coverage_is_a_percentage CHECK (coverage_percent BETWEEN 0 AND 100),
    CONSTRAINT agent_covers_something CHECK (taxonomy_node_ids <> '{}'),
    CONSTRAINT successes_are_among_the_queries CHECK (successful_queries BETWEEN 0 AND total_queries)
) WITH (fillfactor = 70);

CREATE INDEX IF NOT EXISTS agents_taxonomy_node_ids ON agents USING gin (taxonomy_node_ids);
CREATE INDEX IF NOT EXISTS agents_created_position ON agents (created_position DESC);

COMMENT ON TABLE agents IS 'Agents and their latest coverage, folded from agent.* and coverage.measured events';
COMMENT ON COLUMN agents.agent_id IS 'Identity of the agent, also its stream in the log';
COMMENT ON COLUMN agents.created_position IS 'Position of its agent.created event; lists are newest first by it';
COMMENT ON COLUMN agents.created_at IS 'When it was created';
COMMENT ON COLUMN agents.taxonomy_version IS 'Taxonomy that its nodes belong to';
COMMENT ON COLUMN agents.taxonomy_node_ids IS 'Nodes it covers, with all their descendants';
COMMENT ON COLUMN agents.name IS 'What people call it';
COMMENT ON COLUMN agents.scope_description IS 'What it is for, in words';
COMMENT ON COLUMN agents.retrieval_config IS 'How its queries retrieve: top_k, strategy';
COMMENT ON COLUMN agents.features_config IS 'Switches of its features';
COMMENT ON COLUMN agents.targets IS 'Documents wanted per node id, where that differs from the configured default';
COMMENT ON COLUMN agents.updated_at IS 'When its fields or targets last changed';
COMMENT ON COLUMN agents.version IS 'Version of the last event of the agent''s stream';
COMMENT ON COLUMN agents.level IS 'Growth level, 1 to 5';
COMMENT ON COLUMN agents.current_xp IS 'Experience within the level';
COMMENT ON COLUMN agents.total_documents IS 'Distinct documents in scope when coverage was last measured';
COMMENT ON COLUMN agents.total_chunks IS 'Chunks of those documents';
COMMENT ON COLUMN agents.coverage_percent IS 'Overall coverage when it was last measured, 0 to 100';
COMMENT ON COLUMN agents.last_coverage_update IS 'When coverage was last measured';
COMMENT ON COLUMN agents.total_queries IS 'Queries it answered';
COMMENT ON COLUMN agents.successful_queries IS 'Queries that found something';
COMMENT ON COLUMN agents.avg_faithfulness IS 'Mean faithfulness of its answers; null until something measures it';
COMMENT ON COLUMN agents.avg_response_time_ms IS 'Mean latency of its queries';
COMMENT ON COLUMN agents.last_query_at IS 'When it was last queried';

CREATE TABLE IF NOT EXISTS coverage_history (
    history_id       bigint        NOT NULL,
    agent_id         uuid          NOT NULL,
    timestamp        timestamptz   NOT NULL,
    overall_coverage numeric(5, 2) NOT NULL,
    total_documents  integer       NOT NULL,
    total_chunks     integer       NOT NULL,
    version          text          NOT NULL,
    CONSTRAINT coverage_history_pkey PRIMARY KEY (history_id),
    CONSTRAINT overall_coverage_is_a_percentage CHECK (overall_coverage BETWEEN 0 AND 100),
    CONSTRAINT total_documents_is_not_negative CHECK (total_documents >= 0),
    CONSTRAINT total_chunks_is_not_negative CHECK (total_chunks >= 0)
);

CREATE INDEX IF NOT EXISTS coverage_history_agent_id ON coverage_history (agent_id);
CREATE INDEX IF NOT EXISTS coverage_history_timestamp ON coverage_history (timestamp DESC);
CREATE INDEX IF NOT EXISTS coverage_history_agent_id_timestamp ON coverage_history (agent_id, timestamp DESC);

COMMENT ON TABLE coverage_history IS 'Every measured coverage, folded from coverage.measured events';
COMMENT ON COLUMN coverage_history.history_id IS 'Position of the coverage.measured event';
COMMENT ON COLUMN coverage_history.agent_id IS 'The agent';
COMMENT ON COLUMN coverage_history.timestamp IS 'When it was measured';
COMMENT ON COLUMN coverage_history.overall_coverage IS 'Sum of min(count, target) over sum of targets, 0 to 100';
COMMENT ON COLUMN coverage_history.total_documents IS 'Distinct documents in scope';
COMMENT ON COLUMN coverage_history.total_chunks IS 'Chunks of those documents';
COMMENT ON COLUMN coverage_history.version IS 'Taxonomy version it was measured on';

CREATE TABLE IF NOT EXISTS taxonomies (
    taxonomy_version text        NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT taxonomies_pkey PRIMARY KEY (taxonomy_version)
);

COMMENT ON TABLE taxonomies IS 'Versions of the taxonomy; content, not a read model';
COMMENT ON COLUMN taxonomies.taxonomy_version IS 'Name of the version';
COMMENT ON COLUMN taxonomies.created_at IS 'When its first nodes came';

CREATE TABLE IF NOT EXISTS taxonomy_nodes (
    taxonomy_version text   NOT NULL,
    node_id          uuid   NOT NULL,
    label            text   NOT NULL,
    canonical_path   text[] NOT NULL,
    CONSTRAINT taxonomy_nodes_pkey PRIMARY KEY (taxonomy_version, node_id),
    CONSTRAINT nodes_belong_to_a_taxonomy FOREIGN KEY (taxonomy_version) REFERENCES taxonomies,
    CONSTRAINT label_is_not_empty CHECK (label <> ''),
    CONSTRAINT canonical_path_is_not_empty CHECK (canonical_path <> '{}')
);
CREATE INDEX IF NOT EXISTS taxonomy_nodes_node_id ON taxonomy_nodes (node_id);

COMMENT ON TABLE taxonomy_nodes IS 'Nodes of each taxonomy version; they are added, and never change';
COMMENT ON COLUMN taxonomy_nodes.taxonomy_version IS 'The version';
COMMENT ON COLUMN taxonomy_nodes.node_id IS 'Identity of the node; the same topic may keep its id over versions';
COMMENT ON COLUMN taxonomy_nodes.label IS 'Its own name';
COMMENT ON COLUMN taxonomy_nodes.canonical_path IS 'Labels from the root to the node';

CREATE TABLE IF NOT EXISTS taxonomy_edges (
    taxonomy_version text     NOT NULL,
    parent_id        uuid     NOT NULL,
    child_id         uuid     NOT NULL,
    ordinal          smallint NOT NULL,
    CONSTRAINT taxonomy_edges_pkey PRIMARY KEY (taxonomy_version, parent_id, child_id),
    CONSTRAINT parent_is_a_node FOREIGN KEY (taxonomy_version, parent_id) REFERENCES taxonomy_nodes,
    CONSTRAINT child_is_a_node FOREIGN KEY (taxonomy_version, child_id) REFERENCES taxonomy_nodes,
    CONSTRAINT no_node_is_its_own_parent CHECK (parent_id <> child_id)
);
CREATE INDEX IF NOT EXISTS taxonomy_edges_child ON taxonomy_edges (taxonomy_version, child_id);

COMMENT ON TABLE taxonomy_edges IS 'Parents of each node; together an acyclic graph';
COMMENT ON COLUMN taxonomy_edges.taxonomy_version IS 'The version';
COMMENT ON COLUMN taxonomy_edges.parent_id IS 'The broader node';
COMMENT ON COLUMN taxonomy_edges.child_id IS 'The narrower node';
COMMENT ON COLUMN taxonomy_edges.ordinal IS 'Place in the child''s list of parents; under the first it stands in the tree';

CREATE TABLE IF NOT EXISTS documents (
    doc_id     uuid        NOT NULL DEFAULT gen_random_uuid(),
    title      text        NOT NULL,
    text       text        NOT NULL,
    version    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT documents_pkey PRIMARY KEY (doc_id)
);

COMMENT ON TABLE documents IS 'Documents that back coverage; content, not a read model';
COMMENT ON COLUMN documents.doc_id IS 'Identity of the document';
COMMENT ON COLUMN documents.title IS 'Its title';
COMMENT ON COLUMN documents.text IS 'Its whole text';
COMMENT ON COLUMN documents.version IS 'Version of the document, as its sender counts';
COMMENT ON COLUMN documents.created_at IS 'When it first came';
COMMENT ON COLUMN documents.updated_at IS 'When it last came with a change';

CREATE TABLE IF NOT EXISTS chunks (
    doc_id  uuid     NOT NULL,
    ordinal integer  NOT NULL,
    title   text     NOT NULL,
    text    text     NOT NULL,
    search  tsvector NOT NULL GENERATED ALWAYS AS
                (setweight(to_tsvector('simple', title), 'A') || to_tsvector('simple', text)) STORED,
    CONSTRAINT chunks_pkey PRIMARY KEY (doc_id, ordinal),
    CONSTRAINT chunks_belong_to_a_document FOREIGN KEY (doc_id) REFERENCES documents ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS chunks_search ON chunks USING gin (search);

COMMENT ON TABLE chunks IS 'Passages of the documents, as queries find them';
COMMENT ON COLUMN chunks.doc_id IS 'The document';
COMMENT ON COLUMN chunks.ordinal IS 'Place in the document, from 0';
COMMENT ON COLUMN chunks.title IS 'Title of the document, so that it is found by it';
COMMENT ON COLUMN chunks.text IS 'The passage';
COMMENT ON COLUMN chunks.search IS 'Words of title (weight A) and passage, unstemmed: Korean and English stand side by side';

CREATE TABLE IF NOT EXISTS document_taxonomy (
    doc_id     uuid             NOT NULL,
    node_id    uuid             NOT NULL,
    confidence double precision NOT NULL,
    CONSTRAINT document_taxonomy_pkey PRIMARY KEY (doc_id, node_id),
    CONSTRAINT classifications_belong_to_a_document FOREIGN KEY (doc_id) REFERENCES documents ON DELETE CASCADE,
    CONSTRAINT confidence_is_0_to_1 CHECK (confidence BETWEEN 0 AND 1)
);
-- Counting per node reads nothing but this index.
CREATE INDEX IF NOT EXISTS document_taxonomy_node_id ON document_taxonomy (node_id, confidence, doc_id);

COMMENT ON TABLE document_taxonomy IS 'Which nodes a document is about';
COMMENT ON COLUMN document_taxonomy.doc_id IS 'The document';
COMMENT ON COLUMN document_taxonomy.node_id IS 'The node, in every taxonomy version that has it';
COMMENT ON COLUMN document_taxonomy.confidence IS 'How sure that is, 0 to 1; coverage counts from 0.7 on by default';

-- The built-in type, so that it can be enqueued before any worker has published its own version.
INSERT INTO task_types (
    task_type, code_version, queue, priority, max_attempts, timeout_seconds, backoff, run_in, description,
    owner, subject_type, subject_param, id_prefix, current, published_at)
VALUES ('coverage_refresh', 'built-in', 'coverage', 5, 1, 300, '{"kind": "none"}', 'async', 'Measure the coverage of one agent',
        'service.coverage.handlers', 'agent', 'agent_id', 'agent-coverage-',
        NOT EXISTS (SELECT FROM task_types t WHERE t.task_type = 'coverage_refresh' AND t.current), clock_timestamp())
ON CONFLICT DO NOTHING;
