CREATE SCHEMA public;
COMMENT ON SCHEMA public IS 'standard public schema';
CREATE TYPE public.event_draft AS (
	stream_type text,
	stream_id text,
	type text,
	data jsonb,
	correlation_id text,
	causation_id bigint,
	trace text,
	caused_by text
);
COMMENT ON TYPE public.event_draft IS 'An event before it has a version and a position; caused_by names the task whose transition causes it';
CREATE TYPE public.lane_count AS (
	lane smallint,
	status text,
	tasks bigint
);
COMMENT ON TYPE public.lane_count IS 'How many tasks of a lane are in a status';
CREATE TYPE public.lane_mark AS (
	lane smallint,
	ready_position bigint,
	run_at timestamp with time zone
);
COMMENT ON TYPE public.lane_mark IS 'Where the next scan of a lane may start: ready_position for index 1, run_at for index 2';
CREATE TYPE public.request_key AS (
	api_key text,
	route text,
	key text,
	hash text
);
COMMENT ON TYPE public.request_key IS 'Idempotency key of a request: whose, for which route, the key, the hash of the body';
CREATE TYPE public.task_draft AS (
	ordinal integer,
	task_id text,
	task_type text,
	queue text,
	class smallint,
	limit_group text,
	subject text,
	unique_key text,
	unique_states text[],
	duplicate_of text,
	data jsonb
);
COMMENT ON TYPE public.task_draft IS 'A task to enqueue, checked and with its defaults; duplicate_of names the task that its unique_key met';
CREATE TYPE public.transition AS (
	task_id text,
	task_type text,
	subject text,
	version integer,
	type text,
	data jsonb,
	correlation_id text
);
COMMENT ON TYPE public.transition IS 'One task event about to be appended, as a reaction sees it; version is the event''s own';
CREATE TYPE public.verdict AS (
	task_id text,
	lease integer,
	outcome text,
	status text,
	change public.transition
);
COMMENT ON TYPE public.verdict IS 'What a write function decided about one row: outcome, status before, and the event that follows, if any';
CREATE TYPE public.webhook_draft AS (
	delivery_id text,
	event_position bigint,
	event_type text,
	task_id text,
	task_type text,
	url text,
	endpoint text,
	api_key text,
	correlation_id text,
	trace text
);
COMMENT ON TYPE public.webhook_draft IS 'A webhook that the end of a task asks for, as the log tells it; endpoint is NULL for a URL that is none';
CREATE SEQUENCE public.events_position
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    MAXVALUE 281474976710655
    CACHE 1;
COMMENT ON SEQUENCE public.events_position IS 'Hands out positions of the log; only the default of events.position may draw from it';
CREATE TABLE public.events (
    "position" bigint DEFAULT nextval('public.events_position'::regclass) NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    causation_id bigint,
    version integer NOT NULL,
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    type text NOT NULL,
    actor text NOT NULL,
    correlation_id text,
    trace text,
    data jsonb NOT NULL,
    CONSTRAINT data_is_an_object CHECK ((jsonb_typeof(data) = 'object'::text)),
    CONSTRAINT version_is_positive CHECK ((version > 0))
);
COMMENT ON TABLE public.events IS 'Append-only log of everything that happened; every other read model is folded from it';
COMMENT ON COLUMN public.events."position" IS 'Global order; the only cursor a reader needs';
COMMENT ON COLUMN public.events.recorded_at IS 'The clock of the log';
COMMENT ON COLUMN public.events.causation_id IS 'Position of the event that caused this one';
COMMENT ON COLUMN public.events.version IS 'Order within the stream, from 1, without holes';
COMMENT ON COLUMN public.events.stream_type IS 'Kind of the thing that changed: task, agent, worker, queue, key, ...';
COMMENT ON COLUMN public.events.stream_id IS 'Which one of its kind';
COMMENT ON COLUMN public.events.type IS '<noun>.<past participle>, for example task.completed';
COMMENT ON COLUMN public.events.actor IS 'Who did it: api:<key>, worker:<id>, relay, schedule:<name>, webhook:<source>, psql:<role>';
COMMENT ON COLUMN public.events.correlation_id IS 'Follows one request through its tasks to its webhooks';
COMMENT ON COLUMN public.events.trace IS 'W3C traceparent, whole, when the request carried one';
COMMENT ON COLUMN public.events.data IS 'The facts of the event, readable without today''s code or rows';
CREATE TABLE public.taxonomy_edges (
    taxonomy_version text NOT NULL,
    parent_id uuid NOT NULL,
    child_id uuid NOT NULL,
    ordinal smallint NOT NULL,
    CONSTRAINT no_node_is_its_own_parent CHECK ((parent_id <> child_id))
);
COMMENT ON TABLE public.taxonomy_edges IS 'Parents of each node; together an acyclic graph';
COMMENT ON COLUMN public.taxonomy_edges.taxonomy_version IS 'The version';
COMMENT ON COLUMN public.taxonomy_edges.parent_id IS 'The broader node';
COMMENT ON COLUMN public.taxonomy_edges.child_id IS 'The narrower node';
COMMENT ON COLUMN public.taxonomy_edges.ordinal IS 'Place in the child''s list of parents; under the first it stands in the tree';
CREATE TABLE public.taxonomy_nodes (
    taxonomy_version text NOT NULL,
    node_id uuid NOT NULL,
    label text NOT NULL,
    canonical_path text[] NOT NULL,
    CONSTRAINT canonical_path_is_not_empty CHECK ((canonical_path <> '{}'::text[])),
    CONSTRAINT label_is_not_empty CHECK ((label <> ''::text))
);
COMMENT ON TABLE public.taxonomy_nodes IS 'Nodes of each taxonomy version; they are added, and never change';
COMMENT ON COLUMN public.taxonomy_nodes.taxonomy_version IS 'The version';
COMMENT ON COLUMN public.taxonomy_nodes.node_id IS 'Identity of the node; the same topic may keep its id over versions';
COMMENT ON COLUMN public.taxonomy_nodes.label IS 'Its own name';
COMMENT ON COLUMN public.taxonomy_nodes.canonical_path IS 'Labels from the root to the node';
CREATE TABLE public.background_tasks (
    enqueued_position bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    agent_id uuid,
    timeout_seconds real NOT NULL,
    lane smallint NOT NULL,
    priority smallint NOT NULL,
    max_attempts smallint NOT NULL,
    failures smallint DEFAULT 0 NOT NULL,
    rescues smallint DEFAULT 0 NOT NULL,
    webhook_retry_count smallint DEFAULT 0 NOT NULL,
    queued_position bigint NOT NULL,
    run_at timestamp with time zone,
    task_id text NOT NULL,
    task_type text NOT NULL,
    queue text NOT NULL,
    subject text,
    unique_key text,
    webhook_url text,
    correlation_id text,
    attempt integer DEFAULT 0 NOT NULL,
    started_position bigint,
    started_at timestamp with time zone,
    worker_id text,
    cancellation_requested boolean DEFAULT false NOT NULL,
    status text NOT NULL,
    version integer NOT NULL,
    lease integer,
    ready_position bigint,
    changed_position bigint NOT NULL,
    progress_percentage real DEFAULT 0 NOT NULL,
    completed_at timestamp with time zone,
    step text,
    checkpoint jsonb,
    result jsonb,
    error text,
    CONSTRAINT coverage_tasks_name_their_agent CHECK (((task_type <> 'coverage_refresh'::text) OR (agent_id IS NOT NULL))),
    CONSTRAINT lease_iff_running CHECK (((lease IS NOT NULL) = (status = 'running'::text))),
    CONSTRAINT priority_is_1_to_10 CHECK (((priority >= 1) AND (priority <= 10))),
    CONSTRAINT progress_is_a_percentage CHECK (((progress_percentage >= '0'::real) AND (progress_percentage <= '100'::real))),
    CONSTRAINT ready_only_while_pending CHECK (((ready_position IS NULL) OR (status = 'pending'::text))),
    CONSTRAINT status_is_known CHECK ((status = ANY ('{pending,running,completed,failed,cancelled,timeout}'::text[])))
)
WITH (fillfactor='40', autovacuum_vacuum_scale_factor='0.02', autovacuum_analyze_scale_factor='0.05');
COMMENT ON TABLE public.background_tasks IS 'State of every task, folded from the log; also the table that claims scan';
COMMENT ON COLUMN public.background_tasks.enqueued_position IS 'Position of the task.enqueued event, which keeps params, backoff and trace';
COMMENT ON COLUMN public.background_tasks.created_at IS 'When the task was enqueued';
COMMENT ON COLUMN public.background_tasks.agent_id IS 'Agent of a coverage task; null for other subjects';
COMMENT ON COLUMN public.background_tasks.timeout_seconds IS 'Deadline of one attempt';
COMMENT ON COLUMN public.background_tasks.lane IS 'Queue, priority class and limit group as one number (table lanes)';
COMMENT ON COLUMN public.background_tasks.priority IS '1 (first) to 10 (last)';
COMMENT ON COLUMN public.background_tasks.max_attempts IS 'Failures after which the task is given up';
COMMENT ON COLUMN public.background_tasks.failures IS 'Attempts that failed or timed out since the last retry by hand';
COMMENT ON COLUMN public.background_tasks.rescues IS 'Times the task was taken from a dead worker since the last retry by hand';
COMMENT ON COLUMN public.background_tasks.webhook_retry_count IS 'Failed webhook attempts of the task';
COMMENT ON COLUMN public.background_tasks.queued_position IS 'Position of the event that queued the current attempt: its seniority';
COMMENT ON COLUMN public.background_tasks.run_at IS 'Not before this time; null when it was claimable at once';
COMMENT ON COLUMN public.background_tasks.task_id IS 'Identity of the task, also its stream in the log';
COMMENT ON COLUMN public.background_tasks.task_type IS 'Kind of work; names the handler';
COMMENT ON COLUMN public.background_tasks.queue IS 'Queue the task waits in';
COMMENT ON COLUMN public.background_tasks.subject IS 'What the task is about, as <noun>:<id>';
COMMENT ON COLUMN public.background_tasks.unique_key IS 'At most one task with this key in the statuses its enqueue named';
COMMENT ON COLUMN public.background_tasks.webhook_url IS 'Told when the task ends';
COMMENT ON COLUMN public.background_tasks.correlation_id IS 'Request that enqueued it; on every event of the task';
COMMENT ON COLUMN public.background_tasks.attempt IS 'Runs so far, counted by task.started';
COMMENT ON COLUMN public.background_tasks.started_position IS 'Position of the last task.started event';
COMMENT ON COLUMN public.background_tasks.started_at IS 'Start of the last attempt';
COMMENT ON COLUMN public.background_tasks.worker_id IS 'Worker of the last attempt';
COMMENT ON COLUMN public.background_tasks.cancellation_requested IS 'A cancel arrived while it ran';
COMMENT ON COLUMN public.background_tasks.status IS 'pending, running, completed, failed, cancelled or timeout';
COMMENT ON COLUMN public.background_tasks.version IS 'Version of the last event of the task''s stream';
COMMENT ON COLUMN public.background_tasks.lease IS 'Version of the task.started event while it runs: the right to finish it';
COMMENT ON COLUMN public.background_tasks.ready_position IS 'Place in the lane; null while it waits for run_at or does not wait';
COMMENT ON COLUMN public.background_tasks.changed_position IS 'Position of the last event of the task; from there on the row was always as it is';
COMMENT ON COLUMN public.background_tasks.progress_percentage IS '0 to 100, as the handler reported';
COMMENT ON COLUMN public.background_tasks.completed_at IS 'When it reached a terminal status';
COMMENT ON COLUMN public.background_tasks.step IS 'What the handler said it is doing';
COMMENT ON COLUMN public.background_tasks.checkpoint IS 'What the handler saved for its next attempt';
COMMENT ON COLUMN public.background_tasks.result IS 'What the handler returned';
COMMENT ON COLUMN public.background_tasks.error IS 'Last error, in one message';
CREATE TABLE public.agents (
    agent_id uuid NOT NULL,
    created_position bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    taxonomy_version text NOT NULL,
    taxonomy_node_ids uuid[] NOT NULL,
    name text NOT NULL,
    scope_description text,
    retrieval_config jsonb NOT NULL,
    features_config jsonb NOT NULL,
    targets jsonb DEFAULT '{}'::jsonb NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    level smallint DEFAULT 1 NOT NULL,
    current_xp integer DEFAULT 0 NOT NULL,
    total_documents integer DEFAULT 0 NOT NULL,
    total_chunks integer DEFAULT 0 NOT NULL,
    coverage_percent numeric(5,2) DEFAULT 0 NOT NULL,
    last_coverage_update timestamp with time zone,
    total_queries integer DEFAULT 0 NOT NULL,
    successful_queries integer DEFAULT 0 NOT NULL,
    avg_faithfulness double precision,
    avg_response_time_ms double precision,
    last_query_at timestamp with time zone,
    CONSTRAINT agent_covers_something CHECK ((taxonomy_node_ids <> '{}'::uuid[])),
    CONSTRAINT coverage_is_a_percentage CHECK (((coverage_percent >= (0)::numeric) AND (coverage_percent <= (100)::numeric))),
    CONSTRAINT current_xp_is_not_negative CHECK ((current_xp >= 0)),
    CONSTRAINT level_is_1_to_5 CHECK (((level >= 1) AND (level <= 5))),
    CONSTRAINT successes_are_among_the_queries CHECK (((successful_queries >= 0) AND (successful_queries <= total_queries)))
)
WITH (fillfactor='70');
COMMENT ON TABLE public.agents IS 'Agents and their latest coverage, folded from agent.* and coverage.measured events';
COMMENT ON COLUMN public.agents.agent_id IS 'Identity of the agent, also its stream in the log';
COMMENT ON COLUMN public.agents.created_position IS 'Position of its agent.created event; lists are newest first by it';
COMMENT ON COLUMN public.agents.created_at IS 'When it was created';
COMMENT ON COLUMN public.agents.taxonomy_version IS 'Taxonomy that its nodes belong to';
COMMENT ON COLUMN public.agents.taxonomy_node_ids IS 'Nodes it covers, with all their descendants';
COMMENT ON COLUMN public.agents.name IS 'What people call it';
COMMENT ON COLUMN public.agents.scope_description IS 'What it is for, in words';
COMMENT ON COLUMN public.agents.retrieval_config IS 'How its queries retrieve: top_k, strategy';
COMMENT ON COLUMN public.agents.features_config IS 'Switches of its features';
COMMENT ON COLUMN public.agents.targets IS 'Documents wanted per node id, where that differs from the configured default';
COMMENT ON COLUMN public.agents.updated_at IS 'When its fields or targets last changed';
COMMENT ON COLUMN public.agents.version IS 'Version of the last event of the agent''s stream';
COMMENT ON COLUMN public.agents.level IS 'Growth level, 1 to 5';
COMMENT ON COLUMN public.agents.current_xp IS 'Experience within the level';
COMMENT ON COLUMN public.agents.total_documents IS 'Distinct documents in scope when coverage was last measured';
COMMENT ON COLUMN public.agents.total_chunks IS 'Chunks of those documents';
COMMENT ON COLUMN public.agents.coverage_percent IS 'Overall coverage when it was last measured, 0 to 100';
COMMENT ON COLUMN public.agents.last_coverage_update IS 'When coverage was last measured';
COMMENT ON COLUMN public.agents.total_queries IS 'Queries it answered';
COMMENT ON COLUMN public.agents.successful_queries IS 'Queries that found something';
COMMENT ON COLUMN public.agents.avg_faithfulness IS 'Mean faithfulness of its answers; null until something measures it';
COMMENT ON COLUMN public.agents.avg_response_time_ms IS 'Mean latency of its queries';
COMMENT ON COLUMN public.agents.last_query_at IS 'When it was last queried';
CREATE TABLE public.schedules (
    name text NOT NULL,
    cron text NOT NULL,
    time_zone text NOT NULL,
    task_type text NOT NULL,
    params jsonb NOT NULL,
    queue text,
    priority smallint,
    missed_fires text NOT NULL,
    enabled boolean NOT NULL,
    configured jsonb,
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    counts_from timestamp with time zone NOT NULL,
    next_due_at timestamp with time zone,
    last_due_at timestamp with time zone,
    last_fired_at timestamp with time zone,
    last_task_id text,
    last_error text,
    CONSTRAINT missed_fires_is_known CHECK ((missed_fires = ANY (ARRAY['skip'::text, 'once'::text])))
);
COMMENT ON TABLE public.schedules IS 'Tasks to enqueue at certain times, folded from schedule.* events';
COMMENT ON COLUMN public.schedules.name IS 'Name, part of the actor schedule:<name>';
COMMENT ON COLUMN public.schedules.cron IS 'Five fields: minute, hour, day of month, month, day of week';
COMMENT ON COLUMN public.schedules.time_zone IS 'IANA name of the zone in which the fields are meant';
COMMENT ON COLUMN public.schedules.task_type IS 'Type of the task that a fire enqueues';
COMMENT ON COLUMN public.schedules.params IS 'Its parameters';
COMMENT ON COLUMN public.schedules.queue IS 'Its queue; NULL: the type''s own';
COMMENT ON COLUMN public.schedules.priority IS 'Its priority; NULL: the type''s own';
COMMENT ON COLUMN public.schedules.missed_fires IS 'After a pause: skip what was missed, or fire once for all of it';
COMMENT ON COLUMN public.schedules.enabled IS 'Whether it fires by itself';
COMMENT ON COLUMN public.schedules.configured IS 'Definition last taken from the configuration; NULL when it does not come from there';
COMMENT ON COLUMN public.schedules.version IS 'Version of its last event; a fire names the one it was worked out from';
COMMENT ON COLUMN public.schedules.created_at IS 'When it was created';
COMMENT ON COLUMN public.schedules.changed_at IS 'When its definition last changed';
COMMENT ON COLUMN public.schedules.counts_from IS 'Due times after this moment count: those before are done, or were never meant';
COMMENT ON COLUMN public.schedules.next_due_at IS 'Next due time, where the writer of the last event knew it';
COMMENT ON COLUMN public.schedules.last_due_at IS 'Due time of the last fire that was not by hand';
COMMENT ON COLUMN public.schedules.last_fired_at IS 'When it last fired';
COMMENT ON COLUMN public.schedules.last_task_id IS 'The task of that fire';
COMMENT ON COLUMN public.schedules.last_error IS 'Why that fire enqueued nothing';
CREATE AGGREGATE public.highest_buckets(buckets bigint[]) (
    SFUNC = public.raise_buckets,
    STYPE = bigint[],
    INITCOND = '{}',
    PARALLEL = safe
);
CREATE AGGREGATE public.sum_buckets(buckets bigint[]) (
    SFUNC = public.add_buckets,
    STYPE = bigint[],
    INITCOND = '{}',
    PARALLEL = safe
);
CREATE AGGREGATE public.task_state(event public.events) (
    SFUNC = public.fold_task,
    STYPE = public.background_tasks
);
CREATE TABLE public.api_key_hashes (
    hash bytea NOT NULL,
    name text NOT NULL
);
COMMENT ON TABLE public.api_key_hashes IS 'SHA-256 of each API key; secrets stay outside the log';
COMMENT ON COLUMN public.api_key_hashes.hash IS 'SHA-256 of the key';
COMMENT ON COLUMN public.api_key_hashes.name IS 'The key in api_keys';
CREATE TABLE public.api_keys (
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT scopes_are_known CHECK (((scopes <@ ARRAY['read'::text, 'write'::text, 'admin'::text]) AND (scopes <> '{}'::text[])))
);
COMMENT ON TABLE public.api_keys IS 'API keys, folded from key.* events; their hashes live apart (api_key_hashes)';
COMMENT ON COLUMN public.api_keys.name IS 'Name, part of every actor api:<name>';
COMMENT ON COLUMN public.api_keys.scopes IS 'read, write, admin';
COMMENT ON COLUMN public.api_keys.created_at IS 'When it was created';
COMMENT ON COLUMN public.api_keys.expires_at IS 'Not valid from then on';
COMMENT ON COLUMN public.api_keys.revoked_at IS 'When it was revoked';
CREATE VIEW public.audit_log AS
 SELECT "position",
    recorded_at,
    actor,
    type AS action,
    ((stream_type || ':'::text) || stream_id) AS target,
    (data ->> 'reason'::text) AS reason,
    correlation_id
   FROM public.events e
  WHERE ((type <> ALL (ARRAY['task.enqueued'::text, 'task.started'::text, 'task.progressed'::text, 'task.completed'::text])) AND ((actor ~~ 'api:%'::text) OR (actor ~~ 'psql:%'::text)) AND (type <> ALL (ARRAY['agent.queried'::text, 'coverage.measured'::text])));
COMMENT ON COLUMN public.audit_log."position" IS 'Position of the event; newest first by it';
COMMENT ON COLUMN public.audit_log.recorded_at IS 'When';
COMMENT ON COLUMN public.audit_log.actor IS 'Who: api:<key> or psql:<role>, which the commands at a terminal are, too';
COMMENT ON COLUMN public.audit_log.action IS 'Type of the event';
COMMENT ON COLUMN public.audit_log.target IS 'What it was done to: <stream type>:<stream id>';
COMMENT ON COLUMN public.audit_log.reason IS 'Why, when a reason was given';
COMMENT ON COLUMN public.audit_log.correlation_id IS 'The request (X-Request-ID), when it came by the API';
CREATE TABLE public.chunks (
    doc_id uuid NOT NULL,
    ordinal integer NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    search tsvector GENERATED ALWAYS AS ((setweight(to_tsvector('simple'::regconfig, title), 'A'::"char") || to_tsvector('simple'::regconfig, text))) STORED NOT NULL
);
COMMENT ON TABLE public.chunks IS 'Passages of the documents, as queries find them';
COMMENT ON COLUMN public.chunks.doc_id IS 'The document';
COMMENT ON COLUMN public.chunks.ordinal IS 'Place in the document, from 0';
COMMENT ON COLUMN public.chunks.title IS 'Title of the document, so that it is found by it';
COMMENT ON COLUMN public.chunks.text IS 'The passage';
COMMENT ON COLUMN public.chunks.search IS 'Words of title (weight A) and passage, unstemmed: Korean and English stand side by side';
CREATE TABLE public.coverage_history (
    history_id bigint NOT NULL,
    agent_id uuid NOT NULL,
    "timestamp" timestamp with time zone NOT NULL,
    overall_coverage numeric(5,2) NOT NULL,
    total_documents integer NOT NULL,
    total_chunks integer NOT NULL,
    version text NOT NULL,
    CONSTRAINT overall_coverage_is_a_percentage CHECK (((overall_coverage >= (0)::numeric) AND (overall_coverage <= (100)::numeric))),
    CONSTRAINT total_chunks_is_not_negative CHECK ((total_chunks >= 0)),
    CONSTRAINT total_documents_is_not_negative CHECK ((total_documents >= 0))
);
COMMENT ON TABLE public.coverage_history IS 'Every measured coverage, folded from coverage.measured events';
COMMENT ON COLUMN public.coverage_history.history_id IS 'Position of the coverage.measured event';
COMMENT ON COLUMN public.coverage_history.agent_id IS 'The agent';
COMMENT ON COLUMN public.coverage_history."timestamp" IS 'When it was measured';
COMMENT ON COLUMN public.coverage_history.overall_coverage IS 'Sum of min(count, target) over sum of targets, 0 to 100';
COMMENT ON COLUMN public.coverage_history.total_documents IS 'Distinct documents in scope';
COMMENT ON COLUMN public.coverage_history.total_chunks IS 'Chunks of those documents';
COMMENT ON COLUMN public.coverage_history.version IS 'Taxonomy version it was measured on';
CREATE TABLE public.depth_marks (
    "position" bigint NOT NULL,
    newest_created_at timestamp with time zone,
    counts public.lane_count[] NOT NULL
);
COMMENT ON TABLE public.depth_marks IS 'Tasks by lane and status at some positions, so that counts at others need few events; may be emptied at any time';
COMMENT ON COLUMN public.depth_marks."position" IS 'After all events up to this position';
COMMENT ON COLUMN public.depth_marks.newest_created_at IS 'No task enqueued up to here was created later; null before the first task';
COMMENT ON COLUMN public.depth_marks.counts IS 'Counts that are not zero';
CREATE TABLE public.document_taxonomy (
    doc_id uuid NOT NULL,
    node_id uuid NOT NULL,
    confidence double precision NOT NULL,
    CONSTRAINT confidence_is_0_to_1 CHECK (((confidence >= (0)::double precision) AND (confidence <= (1)::double precision)))
);
COMMENT ON TABLE public.document_taxonomy IS 'Which nodes a document is about';
COMMENT ON COLUMN public.document_taxonomy.doc_id IS 'The document';
COMMENT ON COLUMN public.document_taxonomy.node_id IS 'The node, in every taxonomy version that has it';
COMMENT ON COLUMN public.document_taxonomy.confidence IS 'How sure that is, 0 to 1; coverage counts from 0.7 on by default';
CREATE TABLE public.documents (
    doc_id uuid DEFAULT gen_random_uuid() NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    version text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
COMMENT ON TABLE public.documents IS 'Documents that back coverage; content, not a read model';
COMMENT ON COLUMN public.documents.doc_id IS 'Identity of the document';
COMMENT ON COLUMN public.documents.title IS 'Its title';
COMMENT ON COLUMN public.documents.text IS 'Its whole text';
COMMENT ON COLUMN public.documents.version IS 'Version of the document, as its sender counts';
COMMENT ON COLUMN public.documents.created_at IS 'When it first came';
COMMENT ON COLUMN public.documents.updated_at IS 'When it last came with a change';
CREATE VIEW public.errors AS
 SELECT fingerprint,
    task_type,
    error_type,
    pattern,
    frame,
    occurrences,
    tasks,
    retried,
    final,
    first_position,
    first_seen_at,
    last_position,
    last_seen_at,
    last_task_id,
    last_attempt,
    last_message
   FROM public.errors_between() g(fingerprint, task_type, error_type, pattern, frame, state, occurrences, tasks, retried, final, first_position, first_seen_at, last_position, last_seen_at, last_task_id, last_attempt, last_message);
COMMENT ON COLUMN public.errors.fingerprint IS 'Names the group; the same wherever the same error happens';
COMMENT ON COLUMN public.errors.task_type IS 'Type of the tasks that failed so';
COMMENT ON COLUMN public.errors.error_type IS 'Exception class';
COMMENT ON COLUMN public.errors.pattern IS 'Message without what differs from one occurrence to the next';
COMMENT ON COLUMN public.errors.frame IS 'Innermost line of the traceback in code of one''s own, as file:function';
COMMENT ON COLUMN public.errors.occurrences IS 'Failed attempts';
COMMENT ON COLUMN public.errors.tasks IS 'Tasks that failed so at least once';
COMMENT ON COLUMN public.errors.retried IS 'Attempts that were followed by another one';
COMMENT ON COLUMN public.errors.final IS 'Attempts that ended their task';
COMMENT ON COLUMN public.errors.first_position IS 'Position of the first occurrence';
COMMENT ON COLUMN public.errors.first_seen_at IS 'When that was';
COMMENT ON COLUMN public.errors.last_position IS 'Position of the last occurrence, whose event holds the traceback';
COMMENT ON COLUMN public.errors.last_seen_at IS 'When that was';
COMMENT ON COLUMN public.errors.last_task_id IS 'Task of the last occurrence';
COMMENT ON COLUMN public.errors.last_attempt IS 'Its attempt';
COMMENT ON COLUMN public.errors.last_message IS 'Its message, whole';
CREATE TABLE public.event_counts (
    type text NOT NULL,
    hour timestamp with time zone NOT NULL,
    events bigint DEFAULT 0 NOT NULL,
    latency_ms numeric DEFAULT 0 NOT NULL,
    latency_buckets bigint[] DEFAULT '{}'::bigint[] NOT NULL
);
COMMENT ON TABLE public.event_counts IS 'Events of webhooks, workers and schedules, by type and hour; counted by the follower event_counts';
COMMENT ON COLUMN public.event_counts.type IS 'Type of the events';
COMMENT ON COLUMN public.event_counts.hour IS 'Beginning of the hour in which they were recorded';
COMMENT ON COLUMN public.event_counts.events IS 'How many';
COMMENT ON COLUMN public.event_counts.latency_ms IS 'The latency that they tell, summed up';
COMMENT ON COLUMN public.event_counts.latency_buckets IS 'Events that tell a latency, between the bounds of histogram_bounds()';
CREATE TABLE public.event_totals (
    type text NOT NULL,
    rewound boolean NOT NULL,
    events bigint DEFAULT 0 NOT NULL,
    latency_ms numeric DEFAULT 0 NOT NULL,
    latency_buckets bigint[] DEFAULT '{}'::bigint[] NOT NULL
)
WITH (fillfactor='50');
COMMENT ON TABLE public.event_totals IS 'event_counts summed up over all hours; removing old hours leaves them as they are';
COMMENT ON COLUMN public.event_totals.type IS 'Type of the events';
COMMENT ON COLUMN public.event_totals.rewound IS 'true: the highest totals before the follower was sent back, so that a counter never goes back';
COMMENT ON COLUMN public.event_totals.events IS 'How many';
COMMENT ON COLUMN public.event_totals.latency_ms IS 'The latency that they tell, summed up';
COMMENT ON COLUMN public.event_totals.latency_buckets IS 'Events that tell a latency, between the bounds of histogram_bounds()';
CREATE TABLE public.followers (
    name text NOT NULL,
    "position" bigint NOT NULL,
    quiet_until bigint DEFAULT 0 NOT NULL,
    moved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failed_at timestamp with time zone,
    error text,
    CONSTRAINT follower_position_is_not_negative CHECK (("position" >= 0))
)
WITH (fillfactor='50');
COMMENT ON TABLE public.followers IS 'Checkpoints: how far each follower of the log has come';
COMMENT ON COLUMN public.followers.name IS 'Name of the follower';
COMMENT ON COLUMN public.followers."position" IS 'Everything up to here is done; moves in the transaction of the effect';
COMMENT ON COLUMN public.followers.quiet_until IS 'Up to this position state is built, but nothing is sent again (relay rewind --no-effects)';
COMMENT ON COLUMN public.followers.moved_at IS 'When the checkpoint last moved';
COMMENT ON COLUMN public.followers.failures IS 'Failures in a row since then';
COMMENT ON COLUMN public.followers.failed_at IS 'When it last failed';
COMMENT ON COLUMN public.followers.error IS 'Why; NULL once it goes on';
CREATE VIEW public.open_appends AS
 SELECT l.pid,
    a.usename AS role,
    a.application_name,
    (clock_timestamp() - a.xact_start) AS open_for,
    a.state,
    ((((l.classid)::bigint & (65535)::bigint) << 32) | (l.objid)::bigint) AS held_position,
    a.query
   FROM (pg_locks l
     LEFT JOIN pg_stat_activity a ON ((a.pid = l.pid)))
  WHERE ((l.locktype = 'advisory'::text) AND (l.mode = 'ShareLock'::text) AND l.granted AND (l.objsubid = 1) AND (((l.classid)::bigint >> 16) = public.fence_tag()) AND (l.database = ( SELECT d.oid
           FROM pg_database d
          WHERE (d.datname = current_database()))));
COMMENT ON COLUMN public.open_appends.pid IS 'Its server process; pg_terminate_backend(pid) ends it';
COMMENT ON COLUMN public.open_appends.role IS 'Role it logged in as';
COMMENT ON COLUMN public.open_appends.application_name IS 'What it calls itself';
COMMENT ON COLUMN public.open_appends.open_for IS 'Age of the transaction';
COMMENT ON COLUMN public.open_appends.state IS 'active, or idle in transaction';
COMMENT ON COLUMN public.open_appends.held_position IS 'No follower passes this position while it is open';
COMMENT ON COLUMN public.open_appends.query IS 'Its last statement';
CREATE TABLE public.parked_events (
    follower text NOT NULL,
    "position" bigint NOT NULL,
    error text NOT NULL,
    times integer NOT NULL,
    parked_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.parked_events IS 'Events a follower failed on and stepped over, folded from follower.* events; resumed by hand';
COMMENT ON COLUMN public.parked_events.follower IS 'The follower';
COMMENT ON COLUMN public.parked_events."position" IS 'The event it failed on';
COMMENT ON COLUMN public.parked_events.error IS 'What went wrong';
COMMENT ON COLUMN public.parked_events.times IS 'How often it was parked';
COMMENT ON COLUMN public.parked_events.parked_at IS 'When it was parked last';
CREATE VIEW public.follower_lag AS
 SELECT f.name,
    f."position",
    s.settled,
    GREATEST((s.settled - f."position"), (0)::bigint) AS lag_positions,
    (COALESCE(EXTRACT(epoch FROM (clock_timestamp() - ( SELECT e.recorded_at
           FROM public.events e
          WHERE ((e."position" > f."position") AND (e."position" <= s.settled))
          ORDER BY e."position"
         LIMIT 1))), (0)::numeric))::double precision AS lag_seconds,
    ( SELECT o.pid
           FROM public.open_appends o
          WHERE (o.held_position <= s.settled)
          ORDER BY o.held_position
         LIMIT 1) AS held_by_pid,
    (f.quiet_until > f."position") AS quiet,
    ( SELECT count(*) AS count
           FROM public.parked_events p
          WHERE (p.follower = f.name)) AS parked,
    f.failures,
    f.error,
    f.failed_at,
    f.moved_at
   FROM (public.followers f
     CROSS JOIN ( SELECT public.stable_position() AS settled) s);
COMMENT ON COLUMN public.follower_lag.name IS 'Name of the follower';
COMMENT ON COLUMN public.follower_lag."position" IS 'Everything up to here is done';
COMMENT ON COLUMN public.follower_lag.settled IS 'Settled end of the log: as far as it can come now';
COMMENT ON COLUMN public.follower_lag.lag_positions IS 'Positions in between';
COMMENT ON COLUMN public.follower_lag.lag_seconds IS 'Age of the oldest event that it has not done';
COMMENT ON COLUMN public.follower_lag.held_by_pid IS 'Server process whose open transaction holds all followers at the settled end';
COMMENT ON COLUMN public.follower_lag.quiet IS 'It was rewound without effects, and is not yet where it was';
COMMENT ON COLUMN public.follower_lag.parked IS 'Events it failed on and stepped over';
COMMENT ON COLUMN public.follower_lag.failures IS 'Failures in a row';
COMMENT ON COLUMN public.follower_lag.error IS 'Why; NULL while it goes on';
COMMENT ON COLUMN public.follower_lag.failed_at IS 'When it last failed';
COMMENT ON COLUMN public.follower_lag.moved_at IS 'When its checkpoint last moved';
CREATE TABLE public.idempotency_keys (
    api_key text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    result jsonb,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
COMMENT ON TABLE public.idempotency_keys IS 'Results of requests that carried an Idempotency-Key, kept for 24 h';
COMMENT ON COLUMN public.idempotency_keys.api_key IS 'Name of the API key that asked; keys of two callers never meet';
COMMENT ON COLUMN public.idempotency_keys.route IS 'Method and route template';
COMMENT ON COLUMN public.idempotency_keys.key IS 'The Idempotency-Key header';
COMMENT ON COLUMN public.idempotency_keys.request_hash IS 'Hash of the request; the same key with another request is refused';
COMMENT ON COLUMN public.idempotency_keys.result IS 'Compact result, from which the same answer is rendered again';
COMMENT ON COLUMN public.idempotency_keys.created_at IS 'When the request was first answered';
CREATE TABLE public.lanes (
    lane smallint NOT NULL,
    queue text NOT NULL,
    class smallint NOT NULL,
    limit_group text DEFAULT ''::text NOT NULL,
    CONSTRAINT class_is_high_medium_or_low CHECK (((class >= 1) AND (class <= 3)))
);
COMMENT ON TABLE public.lanes IS 'Dictionary of (queue, priority class, limit group); claims scan lane by lane';
COMMENT ON COLUMN public.lanes.lane IS 'Small number that stands for the three';
COMMENT ON COLUMN public.lanes.queue IS 'Queue name';
COMMENT ON COLUMN public.lanes.class IS '1 high (priority 1-3), 2 medium (4-7), 3 low (8-10)';
COMMENT ON COLUMN public.lanes.limit_group IS 'Group whose slots are counted together; empty without a limit';
ALTER TABLE public.lanes ALTER COLUMN lane ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.lanes_lane_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
COMMENT ON SEQUENCE public.lanes_lane_seq IS 'Numbers of lanes';
CREATE TABLE public.log_epoch (
    only_row boolean DEFAULT true NOT NULL,
    epoch uuid DEFAULT gen_random_uuid() NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT one_epoch_at_a_time CHECK (only_row)
);
COMMENT ON TABLE public.log_epoch IS 'Identity of this log; part of every cursor kept outside the database';
COMMENT ON COLUMN public.log_epoch.only_row IS 'Always true: there is one epoch at a time';
COMMENT ON COLUMN public.log_epoch.epoch IS 'Renewed when positions may have been handed out twice';
COMMENT ON COLUMN public.log_epoch.started_at IS 'When this epoch began';
CREATE TABLE public.queues (
    queue text NOT NULL,
    paused boolean NOT NULL,
    reason text,
    changed_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.queues IS 'Queues that were ever paused, folded from queue.* events';
COMMENT ON COLUMN public.queues.queue IS 'Queue name';
COMMENT ON COLUMN public.queues.paused IS 'No claim takes from it while true';
COMMENT ON COLUMN public.queues.reason IS 'Why it was paused or resumed';
COMMENT ON COLUMN public.queues.changed_at IS 'When that was';
CREATE VIEW public.queue_depth AS
 SELECT l.queue,
        CASE l.class
            WHEN 1 THEN 'high'::text
            WHEN 2 THEN 'medium'::text
            ELSE 'low'::text
        END AS class,
    COALESCE(q.paused, false) AS paused,
    p.ready,
    p.waiting,
    r.running,
    p.oldest_ready_at
   FROM (((( SELECT DISTINCT l_1.queue,
            l_1.class
           FROM public.lanes l_1) l
     LEFT JOIN public.queues q ON ((q.queue = l.queue)))
     CROSS JOIN LATERAL ( SELECT count(*) FILTER (WHERE ((t.ready_position IS NOT NULL) OR (t.run_at <= now()))) AS ready,
            count(*) FILTER (WHERE ((t.ready_position IS NULL) AND (t.run_at > now()))) AS waiting,
            min(COALESCE(t.run_at, t.created_at)) FILTER (WHERE ((t.ready_position IS NOT NULL) OR (t.run_at <= now()))) AS oldest_ready_at
           FROM (public.lanes x
             JOIN public.background_tasks t ON (((t.lane = x.lane) AND (t.status = 'pending'::text))))
          WHERE ((x.queue = l.queue) AND (x.class = l.class))) p)
     CROSS JOIN LATERAL ( SELECT count(*) AS running
           FROM (public.lanes x
             JOIN public.background_tasks t ON (((t.lane = x.lane) AND (t.status = 'running'::text))))
          WHERE ((x.queue = l.queue) AND (x.class = l.class))) r);
COMMENT ON COLUMN public.queue_depth.queue IS 'The queue';
COMMENT ON COLUMN public.queue_depth.class IS 'high (priority 1-3), medium (4-7) or low (8-10)';
COMMENT ON COLUMN public.queue_depth.paused IS 'Nothing is claimed from it';
COMMENT ON COLUMN public.queue_depth.ready IS 'Tasks that could be claimed now';
COMMENT ON COLUMN public.queue_depth.waiting IS 'Tasks that wait for their run_at';
COMMENT ON COLUMN public.queue_depth.running IS 'Tasks that a worker holds';
COMMENT ON COLUMN public.queue_depth.oldest_ready_at IS 'Since when the oldest of the ready ones is ready';
CREATE TABLE public.relay_lease (
    only_row boolean DEFAULT true NOT NULL,
    holder text,
    term bigint DEFAULT 0 NOT NULL,
    taken_at timestamp with time zone,
    expires_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT one_leader_at_a_time CHECK (only_row)
)
WITH (fillfactor='50');
COMMENT ON TABLE public.relay_lease IS 'Which relay leads, and until when: checked in the transaction of every effect';
COMMENT ON COLUMN public.relay_lease.only_row IS 'Always true: one leads at a time';
COMMENT ON COLUMN public.relay_lease.holder IS 'The relay that leads, or led last';
COMMENT ON COLUMN public.relay_lease.term IS 'Counts the take-overs; an effect names the term it belongs to';
COMMENT ON COLUMN public.relay_lease.taken_at IS 'When this term began';
COMMENT ON COLUMN public.relay_lease.expires_at IS 'Another may take over from then on, in the time of the database';
CREATE TABLE public.relays (
    relay_id text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    code_version text,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    loop_lag_seconds real DEFAULT 0 NOT NULL
);
COMMENT ON TABLE public.relays IS 'Relay processes that run; one of them leads (relay_lease)';
COMMENT ON COLUMN public.relays.relay_id IS 'Its name';
COMMENT ON COLUMN public.relays.host IS 'Host it runs on';
COMMENT ON COLUMN public.relays.pid IS 'Process id there';
COMMENT ON COLUMN public.relays.code_version IS 'Version of the code it runs';
COMMENT ON COLUMN public.relays.started_at IS 'When it started';
COMMENT ON COLUMN public.relays.seen_at IS 'Last sign of life';
COMMENT ON COLUMN public.relays.loop_lag_seconds IS 'Worst lag of its event loop between the last two signs of life';
CREATE TABLE public.retention_marks (
    what text NOT NULL,
    walked_to bigint DEFAULT 0 NOT NULL,
    CONSTRAINT walked_to_is_not_negative CHECK ((walked_to >= 0))
)
WITH (fillfactor='50');
COMMENT ON TABLE public.retention_marks IS 'How far retention has walked the log; nothing that changed up to there is left to remove';
COMMENT ON COLUMN public.retention_marks.what IS 'Kind of rows: tasks, dead_letters, attempts, coverage_history, deliveries, idempotency_keys';
COMMENT ON COLUMN public.retention_marks.walked_to IS 'Position in the log; not used by idempotency_keys, which have none';
CREATE TABLE public.retention_totals (
    what text NOT NULL,
    removed bigint NOT NULL,
    batches bigint NOT NULL,
    up_to_position bigint,
    cutoff timestamp with time zone NOT NULL,
    applied_at timestamp with time zone NOT NULL
);
COMMENT ON TABLE public.retention_totals IS 'What retention removed, by kind of rows, folded from retention.applied';
COMMENT ON COLUMN public.retention_totals.what IS 'Kind of rows';
COMMENT ON COLUMN public.retention_totals.removed IS 'Rows removed since the beginning';
COMMENT ON COLUMN public.retention_totals.batches IS 'Events retention.applied: batches that removed something';
COMMENT ON COLUMN public.retention_totals.up_to_position IS 'Rows last changed up to this position are gone; NULL for idempotency_keys';
COMMENT ON COLUMN public.retention_totals.cutoff IS 'What had last changed by this time was to go, in the last batch';
COMMENT ON COLUMN public.retention_totals.applied_at IS 'When the last batch was removed';
CREATE TABLE public.schema_objects (
    kind text NOT NULL,
    identity text NOT NULL
);
COMMENT ON TABLE public.schema_objects IS 'Functions, views and triggers that the last migrate installed, and the digest of their files';
COMMENT ON COLUMN public.schema_objects.kind IS 'function, procedure, aggregate, view, materialized view, trigger, or digest';
COMMENT ON COLUMN public.schema_objects.identity IS 'Name as in DROP <kind> <identity>; of the digest, the SHA-256 over the files';
CREATE TABLE public.stream_heads (
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    version integer NOT NULL
);
COMMENT ON TABLE public.stream_heads IS 'Last version of each stream that has no read-model row of its own';
COMMENT ON COLUMN public.stream_heads.stream_type IS 'As in events';
COMMENT ON COLUMN public.stream_heads.stream_id IS 'As in events';
COMMENT ON COLUMN public.stream_heads.version IS 'Version of the last event of the stream';
CREATE TABLE public.workers (
    worker_id text NOT NULL,
    status text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    queues text[] NOT NULL,
    task_types text[] NOT NULL,
    concurrency integer NOT NULL,
    code_version text,
    started_at timestamp with time zone NOT NULL,
    stopped_at timestamp with time zone,
    reason text,
    seen_at timestamp with time zone NOT NULL,
    busy_slots integer DEFAULT 0 NOT NULL,
    loop_lag_seconds real DEFAULT 0 NOT NULL,
    working_since timestamp with time zone,
    CONSTRAINT worker_status_is_known CHECK ((status = ANY (ARRAY['live'::text, 'stopped'::text, 'lost'::text])))
)
WITH (fillfactor='50');
COMMENT ON TABLE public.workers IS 'Worker processes, folded from worker.* events; only seen_at changes without an event';
COMMENT ON COLUMN public.workers.worker_id IS 'Identity of one run of one worker process';
COMMENT ON COLUMN public.workers.status IS 'live, stopped (by itself) or lost (given up for dead)';
COMMENT ON COLUMN public.workers.host IS 'Host it runs on';
COMMENT ON COLUMN public.workers.pid IS 'Process id there';
COMMENT ON COLUMN public.workers.queues IS 'Queues it claims from';
COMMENT ON COLUMN public.workers.task_types IS 'Task types it has handlers for';
COMMENT ON COLUMN public.workers.concurrency IS 'Slots';
COMMENT ON COLUMN public.workers.code_version IS 'Version of the code it runs';
COMMENT ON COLUMN public.workers.started_at IS 'When it registered';
COMMENT ON COLUMN public.workers.stopped_at IS 'When it stopped or was given up';
COMMENT ON COLUMN public.workers.reason IS 'Why it ended';
COMMENT ON COLUMN public.workers.seen_at IS 'Last sign of life, renewed every few seconds without an event';
COMMENT ON COLUMN public.workers.busy_slots IS 'Slots in use at the last sign of life';
COMMENT ON COLUMN public.workers.loop_lag_seconds IS 'Worst lag of its event loop between the last two signs of life';
COMMENT ON COLUMN public.workers.working_since IS 'Start of the attempt that ran the longest at the last sign of life; NULL when none ran';
CREATE VIEW public.stuck_tasks AS
 SELECT t.task_id,
    t.task_type,
    t.queue,
    t.status,
    t.worker_id,
    t.attempt,
    COALESCE(
        CASE t.status
            WHEN 'running'::text THEN t.started_at
            ELSE NULL::timestamp with time zone
        END, t.run_at, t.created_at) AS since,
        CASE
            WHEN (t.status = 'running'::text) THEN 'runs past its deadline'::text
            WHEN q.paused THEN 'its queue is paused'::text
            WHEN (NOT (EXISTS ( SELECT
               FROM public.workers w
              WHERE ((w.status = 'live'::text) AND (t.queue = ANY (w.queues)) AND (t.task_type = ANY (w.task_types)))))) THEN 'no live worker serves its queue and type'::text
            ELSE 'waits for a free slot'::text
        END AS why
   FROM (public.background_tasks t
     LEFT JOIN public.queues q ON ((q.queue = t.queue)))
  WHERE (((t.status = 'running'::text) AND ((t.started_at + make_interval(secs => (t.timeout_seconds)::double precision)) < now())) OR ((t.status = 'pending'::text) AND (COALESCE(t.run_at, t.created_at) < (now() - '00:05:00'::interval))));
COMMENT ON COLUMN public.stuck_tasks.task_id IS 'The task';
COMMENT ON COLUMN public.stuck_tasks.task_type IS 'Its type';
COMMENT ON COLUMN public.stuck_tasks.queue IS 'Its queue';
COMMENT ON COLUMN public.stuck_tasks.status IS 'pending or running';
COMMENT ON COLUMN public.stuck_tasks.worker_id IS 'Worker of its last attempt';
COMMENT ON COLUMN public.stuck_tasks.attempt IS 'Runs so far';
COMMENT ON COLUMN public.stuck_tasks.since IS 'Start of the attempt, or since when it could run';
COMMENT ON COLUMN public.stuck_tasks.why IS 'The likeliest reason, in words';
CREATE TABLE public.task_attempts (
    started_position bigint NOT NULL,
    ended_position bigint NOT NULL,
    queued_position bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    duration_ms real NOT NULL,
    attempt integer NOT NULL,
    task_id text NOT NULL,
    task_type text NOT NULL,
    outcome text NOT NULL,
    worker_id text NOT NULL,
    error_type text,
    error_message text,
    fingerprint text,
    CONSTRAINT outcome_is_known CHECK ((outcome = ANY (ARRAY['completed'::text, 'failed'::text, 'timeout'::text, 'cancelled'::text, 'retry_scheduled'::text, 'snoozed'::text, 'released'::text, 'rescued'::text])))
);
COMMENT ON TABLE public.task_attempts IS 'One row for each ended attempt, written once, folded from the log; task_execution_logs adds the open ones';
COMMENT ON COLUMN public.task_attempts.started_position IS 'Position of its task.started event';
COMMENT ON COLUMN public.task_attempts.ended_position IS 'Position of the event that ended it; that event holds the traceback';
COMMENT ON COLUMN public.task_attempts.queued_position IS 'Position of the event that queued it';
COMMENT ON COLUMN public.task_attempts.started_at IS 'When a worker claimed it';
COMMENT ON COLUMN public.task_attempts.ended_at IS 'When its end was recorded';
COMMENT ON COLUMN public.task_attempts.duration_ms IS 'As the worker measured it; from claim to end where it could not';
COMMENT ON COLUMN public.task_attempts.attempt IS 'Number of the run, from 1';
COMMENT ON COLUMN public.task_attempts.task_id IS 'The task';
COMMENT ON COLUMN public.task_attempts.task_type IS 'Its type';
COMMENT ON COLUMN public.task_attempts.outcome IS 'completed, failed, timeout, cancelled, retry_scheduled, snoozed, released or rescued';
COMMENT ON COLUMN public.task_attempts.worker_id IS 'Who ran it';
COMMENT ON COLUMN public.task_attempts.error_type IS 'Exception class of a failed attempt';
COMMENT ON COLUMN public.task_attempts.error_message IS 'Message of a failed attempt';
COMMENT ON COLUMN public.task_attempts.fingerprint IS 'Group of its error (functions/error_fingerprint.sql); null unless it failed or timed out';
CREATE TABLE public.task_counts (
    task_type text NOT NULL,
    hour timestamp with time zone NOT NULL,
    enqueued bigint DEFAULT 0 NOT NULL,
    started bigint DEFAULT 0 NOT NULL,
    completed bigint DEFAULT 0 NOT NULL,
    retried bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    timed_out bigint DEFAULT 0 NOT NULL,
    cancelled bigint DEFAULT 0 NOT NULL,
    duration_ms numeric DEFAULT 0 NOT NULL,
    rescued bigint DEFAULT 0 NOT NULL,
    wait_ms numeric DEFAULT 0 NOT NULL,
    duration_buckets bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    wait_buckets bigint[] DEFAULT '{}'::bigint[] NOT NULL
);
COMMENT ON TABLE public.task_counts IS 'What happened to tasks, by type and hour; counted by the follower task_counts';
COMMENT ON COLUMN public.task_counts.task_type IS 'Type of the tasks';
COMMENT ON COLUMN public.task_counts.hour IS 'Beginning of the hour in which it was recorded';
COMMENT ON COLUMN public.task_counts.enqueued IS 'task.enqueued events';
COMMENT ON COLUMN public.task_counts.started IS 'task.started events: attempts';
COMMENT ON COLUMN public.task_counts.completed IS 'task.completed events';
COMMENT ON COLUMN public.task_counts.retried IS 'task.retry_scheduled events: attempts that failed and are tried again';
COMMENT ON COLUMN public.task_counts.failed IS 'task.failed events';
COMMENT ON COLUMN public.task_counts.timed_out IS 'task.timed_out events';
COMMENT ON COLUMN public.task_counts.cancelled IS 'task.cancelled events';
COMMENT ON COLUMN public.task_counts.duration_ms IS 'Run time of the completed attempts, summed up';
COMMENT ON COLUMN public.task_counts.rescued IS 'task.rescued events';
COMMENT ON COLUMN public.task_counts.wait_ms IS 'Time between claimable and started, summed up over the started attempts';
COMMENT ON COLUMN public.task_counts.duration_buckets IS 'Completed attempts by run time, between the bounds of histogram_bounds()';
COMMENT ON COLUMN public.task_counts.wait_buckets IS 'Started attempts by waiting time, between the same bounds';
CREATE VIEW public.task_execution_logs AS
 SELECT a.ended_position AS id,
    a.task_type AS task_name,
        CASE a.outcome
            WHEN 'completed'::text THEN 'success'::text
            ELSE 'failed'::text
        END AS status,
    a.outcome AS detail_status,
    a.task_id,
    a.attempt,
    a.started_at,
    a.ended_at AS completed_at,
    a.duration_ms,
    a.error_type,
    a.error_message,
    a.worker_id,
    a.queued_position,
    a.started_position,
    a.ended_position
   FROM public.task_attempts a
UNION ALL
 SELECT t.queued_position AS id,
    t.task_type AS task_name,
    t.status,
    t.status AS detail_status,
    t.task_id,
    (t.attempt + ((t.status = 'pending'::text))::integer) AS attempt,
        CASE t.status
            WHEN 'running'::text THEN t.started_at
            ELSE NULL::timestamp with time zone
        END AS started_at,
    NULL::timestamp with time zone AS completed_at,
    NULL::real AS duration_ms,
    NULL::text AS error_type,
    NULL::text AS error_message,
        CASE t.status
            WHEN 'running'::text THEN t.worker_id
            ELSE NULL::text
        END AS worker_id,
    t.queued_position,
        CASE t.status
            WHEN 'running'::text THEN t.started_position
            ELSE NULL::bigint
        END AS started_position,
    NULL::bigint AS ended_position
   FROM public.background_tasks t
  WHERE (t.status = ANY (ARRAY['pending'::text, 'running'::text]));
COMMENT ON COLUMN public.task_execution_logs.id IS 'Position of the event that ended the attempt, or that queued it while it is open';
COMMENT ON COLUMN public.task_execution_logs.task_name IS 'Type of the task';
COMMENT ON COLUMN public.task_execution_logs.status IS 'pending, running, success or failed';
COMMENT ON COLUMN public.task_execution_logs.detail_status IS 'How the attempt ended, as in task_attempts; or pending, running';
COMMENT ON COLUMN public.task_execution_logs.task_id IS 'The task';
COMMENT ON COLUMN public.task_execution_logs.attempt IS 'Number of the run, from 1';
COMMENT ON COLUMN public.task_execution_logs.started_at IS 'When a worker claimed it';
COMMENT ON COLUMN public.task_execution_logs.completed_at IS 'When its end was recorded';
COMMENT ON COLUMN public.task_execution_logs.duration_ms IS 'As the worker measured it';
COMMENT ON COLUMN public.task_execution_logs.error_type IS 'Exception class of a failed attempt';
COMMENT ON COLUMN public.task_execution_logs.error_message IS 'Message of a failed attempt';
COMMENT ON COLUMN public.task_execution_logs.worker_id IS 'Who runs or ran it';
COMMENT ON COLUMN public.task_execution_logs.queued_position IS 'Position of the event that queued it';
COMMENT ON COLUMN public.task_execution_logs.started_position IS 'Position of its task.started event';
COMMENT ON COLUMN public.task_execution_logs.ended_position IS 'Position of the event that ended it; null while it is open';
CREATE SEQUENCE public.task_number
    START WITH 100000000
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
COMMENT ON SEQUENCE public.task_number IS 'Numbers of the ids task-<number>';
CREATE TABLE public.task_totals (
    task_type text NOT NULL,
    rewound boolean NOT NULL,
    enqueued bigint DEFAULT 0 NOT NULL,
    started bigint DEFAULT 0 NOT NULL,
    completed bigint DEFAULT 0 NOT NULL,
    retried bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    timed_out bigint DEFAULT 0 NOT NULL,
    cancelled bigint DEFAULT 0 NOT NULL,
    rescued bigint DEFAULT 0 NOT NULL,
    duration_ms numeric DEFAULT 0 NOT NULL,
    wait_ms numeric DEFAULT 0 NOT NULL,
    duration_buckets bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    wait_buckets bigint[] DEFAULT '{}'::bigint[] NOT NULL
)
WITH (fillfactor='50');
COMMENT ON TABLE public.task_totals IS 'task_counts summed up over all hours; removing old hours leaves them as they are';
COMMENT ON COLUMN public.task_totals.task_type IS 'Type of the tasks';
COMMENT ON COLUMN public.task_totals.rewound IS 'true: the highest totals before the follower was sent back, so that a counter never goes back';
COMMENT ON COLUMN public.task_totals.enqueued IS 'task.enqueued events';
COMMENT ON COLUMN public.task_totals.started IS 'task.started events: attempts';
COMMENT ON COLUMN public.task_totals.completed IS 'task.completed events';
COMMENT ON COLUMN public.task_totals.retried IS 'task.retry_scheduled events';
COMMENT ON COLUMN public.task_totals.failed IS 'task.failed events';
COMMENT ON COLUMN public.task_totals.timed_out IS 'task.timed_out events';
COMMENT ON COLUMN public.task_totals.cancelled IS 'task.cancelled events';
COMMENT ON COLUMN public.task_totals.rescued IS 'task.rescued events';
COMMENT ON COLUMN public.task_totals.duration_ms IS 'Run time of the completed attempts, summed up';
COMMENT ON COLUMN public.task_totals.wait_ms IS 'Time between claimable and started, summed up over the started attempts';
COMMENT ON COLUMN public.task_totals.duration_buckets IS 'Completed attempts by run time, between the bounds of histogram_bounds()';
COMMENT ON COLUMN public.task_totals.wait_buckets IS 'Started attempts by waiting time, between the same bounds';
CREATE TABLE public.task_types (
    task_type text NOT NULL,
    code_version text NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    priority smallint DEFAULT 5 NOT NULL,
    max_attempts smallint DEFAULT 3 NOT NULL,
    timeout_seconds real DEFAULT 300 NOT NULL,
    backoff jsonb DEFAULT '{"kind": "exponential"}'::jsonb NOT NULL,
    run_in text DEFAULT 'async'::text NOT NULL,
    params_schema jsonb,
    description text,
    owner text,
    subject_type text,
    subject_param text,
    id_prefix text,
    limit_group text DEFAULT ''::text NOT NULL,
    current boolean NOT NULL,
    published_at timestamp with time zone NOT NULL,
    CONSTRAINT at_least_one_attempt CHECK ((max_attempts >= 1)),
    CONSTRAINT timeout_is_positive CHECK ((timeout_seconds > (0)::double precision)),
    CONSTRAINT type_priority_is_1_to_10 CHECK (((priority >= 1) AND (priority <= 10)))
);
COMMENT ON TABLE public.task_types IS 'Catalogue of task types, published by the processes that import them; not a read model';
COMMENT ON COLUMN public.task_types.task_type IS 'Name of the type';
COMMENT ON COLUMN public.task_types.code_version IS 'Version of the handler''s code; the newest published one is current';
COMMENT ON COLUMN public.task_types.queue IS 'Default queue';
COMMENT ON COLUMN public.task_types.priority IS 'Default priority, 1 to 10';
COMMENT ON COLUMN public.task_types.max_attempts IS 'Default bound of failures';
COMMENT ON COLUMN public.task_types.timeout_seconds IS 'Default deadline of an attempt';
COMMENT ON COLUMN public.task_types.backoff IS 'Default wait between attempts (functions/backoff_delay.sql)';
COMMENT ON COLUMN public.task_types.run_in IS 'async, thread or process';
COMMENT ON COLUMN public.task_types.params_schema IS 'JSON schema of the parameters, when the handler declares them';
COMMENT ON COLUMN public.task_types.description IS 'What the type does';
COMMENT ON COLUMN public.task_types.owner IS 'Module that defines the handler';
COMMENT ON COLUMN public.task_types.subject_type IS 'Noun of the subject derived from a parameter';
COMMENT ON COLUMN public.task_types.subject_param IS 'Parameter that holds the subject''s id';
COMMENT ON COLUMN public.task_types.id_prefix IS 'Ids of this type are prefix + random uuid; null: task-<number>';
COMMENT ON COLUMN public.task_types.limit_group IS 'Group whose running tasks are counted together; empty without a limit';
COMMENT ON COLUMN public.task_types.current IS 'The version that gives the defaults';
COMMENT ON COLUMN public.task_types.published_at IS 'When this version was last published';
CREATE TABLE public.taxonomies (
    taxonomy_version text NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);
COMMENT ON TABLE public.taxonomies IS 'Versions of the taxonomy; content, not a read model';
COMMENT ON COLUMN public.taxonomies.taxonomy_version IS 'Name of the version';
COMMENT ON COLUMN public.taxonomies.created_at IS 'When its first nodes came';
CREATE TABLE public.webhook_deliveries (
    requested_position bigint NOT NULL,
    event_position bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sequence bigint,
    delivery_id text NOT NULL,
    task_id text NOT NULL,
    task_type text NOT NULL,
    event_type text NOT NULL,
    url text NOT NULL,
    endpoint text NOT NULL,
    api_key text,
    correlation_id text,
    status text NOT NULL,
    version integer NOT NULL,
    changed_position bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    redeliveries integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone,
    http_status smallint,
    latency_ms real,
    finished_at timestamp with time zone,
    error text,
    reason text,
    CONSTRAINT delivery_status_is_known CHECK ((status = ANY (ARRAY['pending'::text, 'delivered'::text, 'abandoned'::text, 'skipped'::text]))),
    CONSTRAINT next_attempt_iff_pending CHECK (((next_attempt_at IS NOT NULL) = (status = 'pending'::text))),
    CONSTRAINT only_skipped_take_no_number CHECK (((sequence IS NOT NULL) OR (status = 'skipped'::text)))
)
WITH (fillfactor='70');
COMMENT ON TABLE public.webhook_deliveries IS 'One row for each webhook to send, folded from webhook.* events; its attempts are its stream';
COMMENT ON COLUMN public.webhook_deliveries.requested_position IS 'Position of its first event';
COMMENT ON COLUMN public.webhook_deliveries.event_position IS 'Position of the event of the task that it tells; position in the body';
COMMENT ON COLUMN public.webhook_deliveries.created_at IS 'When it was first requested, or skipped';
COMMENT ON COLUMN public.webhook_deliveries.sequence IS 'Number among those of its endpoint, without gaps; a skipped one takes none';
COMMENT ON COLUMN public.webhook_deliveries.delivery_id IS 'The header webhook-id: the same over attempts and redeliveries';
COMMENT ON COLUMN public.webhook_deliveries.task_id IS 'The task that ended';
COMMENT ON COLUMN public.webhook_deliveries.task_type IS 'Its type';
COMMENT ON COLUMN public.webhook_deliveries.event_type IS 'How it ended: task.completed, task.failed, task.timed_out or task.cancelled';
COMMENT ON COLUMN public.webhook_deliveries.url IS 'Where it is sent, whole';
COMMENT ON COLUMN public.webhook_deliveries.endpoint IS 'The URL, normalised and without its query: what is numbered, paused and disabled';
COMMENT ON COLUMN public.webhook_deliveries.api_key IS 'Key that enqueued the task; a secret of its own may sign its webhooks';
COMMENT ON COLUMN public.webhook_deliveries.correlation_id IS 'Request that enqueued the task';
COMMENT ON COLUMN public.webhook_deliveries.status IS 'pending, delivered, abandoned or skipped';
COMMENT ON COLUMN public.webhook_deliveries.version IS 'Version of the last event of its stream';
COMMENT ON COLUMN public.webhook_deliveries.changed_position IS 'Position of the last event of its stream';
COMMENT ON COLUMN public.webhook_deliveries.changed_at IS 'When that was recorded';
COMMENT ON COLUMN public.webhook_deliveries.attempts IS 'Attempts made, counted from 1 over redeliveries';
COMMENT ON COLUMN public.webhook_deliveries.failures IS 'Failed attempts since it was last requested; probes of a paused endpoint do not count';
COMMENT ON COLUMN public.webhook_deliveries.redeliveries IS 'How often it was requested again by hand';
COMMENT ON COLUMN public.webhook_deliveries.next_attempt_at IS 'Not before; NULL when there is nothing more to send';
COMMENT ON COLUMN public.webhook_deliveries.http_status IS 'Answer to the last attempt; NULL when there was none';
COMMENT ON COLUMN public.webhook_deliveries.latency_ms IS 'Time the last attempt took';
COMMENT ON COLUMN public.webhook_deliveries.finished_at IS 'When it was delivered, given up or skipped';
COMMENT ON COLUMN public.webhook_deliveries.error IS 'What went wrong with the last attempt';
COMMENT ON COLUMN public.webhook_deliveries.reason IS 'Why it was skipped, given up or requested again';
CREATE TABLE public.webhook_endpoints (
    endpoint text NOT NULL,
    status text NOT NULL,
    reason text,
    changed_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    CONSTRAINT endpoint_status_is_known CHECK ((status = ANY (ARRAY['active'::text, 'paused'::text, 'disabled'::text])))
);
COMMENT ON TABLE public.webhook_endpoints IS 'Endpoints that were ever paused or disabled, folded from endpoint.* events; others are active';
COMMENT ON COLUMN public.webhook_endpoints.endpoint IS 'URL, normalised and without its query';
COMMENT ON COLUMN public.webhook_endpoints.status IS 'active; paused: waits, but for a probe now and then; disabled: nothing is sent';
COMMENT ON COLUMN public.webhook_endpoints.reason IS 'Why';
COMMENT ON COLUMN public.webhook_endpoints.changed_at IS 'Since when';
COMMENT ON COLUMN public.webhook_endpoints.version IS 'Version of the last event of its stream';
CREATE TABLE public.webhook_secrets (
    secret_id bigint NOT NULL,
    scope text NOT NULL,
    secret text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT scope_is_default_endpoint_or_key CHECK (((scope = 'default'::text) OR (scope ~~ 'endpoint:_%'::text) OR (scope ~~ 'key:_%'::text)))
);
COMMENT ON TABLE public.webhook_secrets IS 'Keys that sign webhooks; outside the log, which knows only that they were rotated';
COMMENT ON COLUMN public.webhook_secrets.secret_id IS 'Number of the secret';
COMMENT ON COLUMN public.webhook_secrets.scope IS 'default, endpoint:<endpoint>, or key:<name of an API key>';
COMMENT ON COLUMN public.webhook_secrets.secret IS 'whsec_ and the key in base64';
COMMENT ON COLUMN public.webhook_secrets.created_at IS 'When it was made';
COMMENT ON COLUMN public.webhook_secrets.expires_at IS 'Signs beside its successor until then; NULL for the newest';
ALTER TABLE public.webhook_secrets ALTER COLUMN secret_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.webhook_secrets_secret_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
COMMENT ON SEQUENCE public.webhook_secrets_secret_id_seq IS 'Numbers of secrets';
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY public.api_key_hashes
    ADD CONSTRAINT api_key_hashes_pkey PRIMARY KEY (hash);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.background_tasks
    ADD CONSTRAINT background_tasks_pkey PRIMARY KEY (task_id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_pkey PRIMARY KEY (doc_id, ordinal);
ALTER TABLE ONLY public.coverage_history
    ADD CONSTRAINT coverage_history_pkey PRIMARY KEY (history_id);
ALTER TABLE ONLY public.depth_marks
    ADD CONSTRAINT depth_marks_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.document_taxonomy
    ADD CONSTRAINT document_taxonomy_pkey PRIMARY KEY (doc_id, node_id);
ALTER TABLE ONLY public.documents
    ADD CONSTRAINT documents_pkey PRIMARY KEY (doc_id);
ALTER TABLE ONLY public.event_counts
    ADD CONSTRAINT event_counts_pkey PRIMARY KEY (type, hour);
ALTER TABLE ONLY public.event_totals
    ADD CONSTRAINT event_totals_pkey PRIMARY KEY (type, rewound);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY ("position");
ALTER TABLE ONLY public.followers
    ADD CONSTRAINT followers_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (api_key, route, key);
ALTER TABLE ONLY public.lanes
    ADD CONSTRAINT lanes_pkey PRIMARY KEY (lane);
ALTER TABLE ONLY public.log_epoch
    ADD CONSTRAINT log_epoch_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT one_event_per_version UNIQUE (stream_type, stream_id, version);
ALTER TABLE ONLY public.api_key_hashes
    ADD CONSTRAINT one_hash_per_key UNIQUE (name);
ALTER TABLE ONLY public.lanes
    ADD CONSTRAINT one_lane_per_queue_class_and_group UNIQUE (queue, class, limit_group);
ALTER TABLE ONLY public.parked_events
    ADD CONSTRAINT parked_events_pkey PRIMARY KEY (follower, "position");
ALTER TABLE ONLY public.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (queue);
ALTER TABLE ONLY public.relay_lease
    ADD CONSTRAINT relay_lease_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY public.relays
    ADD CONSTRAINT relays_pkey PRIMARY KEY (relay_id);
ALTER TABLE ONLY public.retention_marks
    ADD CONSTRAINT retention_marks_pkey PRIMARY KEY (what);
ALTER TABLE ONLY public.retention_totals
    ADD CONSTRAINT retention_totals_pkey PRIMARY KEY (what);
ALTER TABLE ONLY public.schedules
    ADD CONSTRAINT schedules_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.schema_objects
    ADD CONSTRAINT schema_objects_pkey PRIMARY KEY (kind, identity);
ALTER TABLE ONLY public.stream_heads
    ADD CONSTRAINT stream_heads_pkey PRIMARY KEY (stream_type, stream_id);
ALTER TABLE ONLY public.task_attempts
    ADD CONSTRAINT task_attempts_pkey PRIMARY KEY (task_id, attempt);
ALTER TABLE ONLY public.task_counts
    ADD CONSTRAINT task_counts_pkey PRIMARY KEY (task_type, hour);
ALTER TABLE ONLY public.task_totals
    ADD CONSTRAINT task_totals_pkey PRIMARY KEY (task_type, rewound);
ALTER TABLE ONLY public.task_types
    ADD CONSTRAINT task_types_pkey PRIMARY KEY (task_type, code_version);
ALTER TABLE ONLY public.taxonomies
    ADD CONSTRAINT taxonomies_pkey PRIMARY KEY (taxonomy_version);
ALTER TABLE ONLY public.taxonomy_edges
    ADD CONSTRAINT taxonomy_edges_pkey PRIMARY KEY (taxonomy_version, parent_id, child_id);
ALTER TABLE ONLY public.taxonomy_nodes
    ADD CONSTRAINT taxonomy_nodes_pkey PRIMARY KEY (taxonomy_version, node_id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (delivery_id);
ALTER TABLE ONLY public.webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (endpoint);
ALTER TABLE ONLY public.webhook_secrets
    ADD CONSTRAINT webhook_secrets_pkey PRIMARY KEY (secret_id);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (worker_id);
CREATE INDEX agents_created_position ON public.agents USING btree (created_position DESC);
COMMENT ON INDEX public.agents_created_position IS 'Newest agents first';
CREATE INDEX agents_taxonomy_node_ids ON public.agents USING gin (taxonomy_node_ids);
COMMENT ON INDEX public.agents_taxonomy_node_ids IS 'Agents that name a node';
CREATE INDEX background_tasks_agent_id ON public.background_tasks USING btree (agent_id) WHERE (agent_id IS NOT NULL);
COMMENT ON INDEX public.background_tasks_agent_id IS 'Tasks of one agent';
CREATE INDEX background_tasks_agent_id_status ON public.background_tasks USING btree (agent_id, status) WHERE (agent_id IS NOT NULL);
COMMENT ON INDEX public.background_tasks_agent_id_status IS 'Tasks of one agent in one status';
CREATE INDEX background_tasks_created_at ON public.background_tasks USING btree (created_at DESC);
COMMENT ON INDEX public.background_tasks_created_at IS 'Newest tasks first';
CREATE INDEX background_tasks_due ON public.background_tasks USING btree (lane, run_at) WHERE ((status = 'pending'::text) AND (ready_position IS NULL));
COMMENT ON INDEX public.background_tasks_due IS 'Claim: what waits for a time, lane by lane';
CREATE INDEX background_tasks_pending ON public.background_tasks USING btree (lane, ready_position) WHERE (status = 'pending'::text);
COMMENT ON INDEX public.background_tasks_pending IS 'Claim: what is claimable now, lane by lane, in the order in which it became so';
CREATE INDEX background_tasks_status ON public.background_tasks USING btree (status, started_position) WHERE (status <> ALL (ARRAY['pending'::text, 'completed'::text]));
COMMENT ON INDEX public.background_tasks_status IS 'Tasks in a status other than pending, which has the index of the claim, and completed';
CREATE INDEX background_tasks_subject ON public.background_tasks USING btree (subject) WHERE (subject IS NOT NULL);
COMMENT ON INDEX public.background_tasks_subject IS 'Tasks of one subject';
CREATE INDEX background_tasks_unique_key ON public.background_tasks USING btree (unique_key) WHERE (unique_key IS NOT NULL);
COMMENT ON INDEX public.background_tasks_unique_key IS 'Tasks by unique_key, for an enqueue that must not repeat one';
CREATE INDEX background_tasks_webhook_failures ON public.background_tasks USING btree (task_id) WHERE (webhook_retry_count > 0);
COMMENT ON INDEX public.background_tasks_webhook_failures IS 'Tasks whose webhooks failed at least once';
CREATE INDEX chunks_search ON public.chunks USING gin (search);
COMMENT ON INDEX public.chunks_search IS 'Passages by their words';
CREATE INDEX coverage_history_agent_id ON public.coverage_history USING btree (agent_id);
COMMENT ON INDEX public.coverage_history_agent_id IS 'Measurements of one agent';
CREATE INDEX coverage_history_agent_id_timestamp ON public.coverage_history USING btree (agent_id, "timestamp" DESC);
COMMENT ON INDEX public.coverage_history_agent_id_timestamp IS 'Newest measurements of one agent first';
CREATE INDEX coverage_history_timestamp ON public.coverage_history USING btree ("timestamp" DESC);
COMMENT ON INDEX public.coverage_history_timestamp IS 'Newest measurements first';
COMMENT ON INDEX public.depth_marks_pkey IS 'Marks by position';
CREATE INDEX document_taxonomy_node_id ON public.document_taxonomy USING btree (node_id, confidence, doc_id);
COMMENT ON INDEX public.document_taxonomy_node_id IS 'Documents of a node by confidence; counting reads nothing else';
CREATE INDEX events_after_the_fact ON public.events USING btree (type, "position") WHERE (type = ANY (ARRAY['task.cancelled'::text, 'task.retry_requested'::text, 'task.completion_refused'::text, 'task.abandoned'::text, 'agent.deleted'::text]));
COMMENT ON INDEX public.events_after_the_fact IS 'What changes a task outside of its attempts, by type';
CREATE INDEX events_by_hand ON public.events USING btree ("position") WHERE ((type <> ALL (ARRAY['task.enqueued'::text, 'task.started'::text, 'task.progressed'::text, 'task.completed'::text])) AND ((actor ~~ 'api:%'::text) OR (actor ~~ 'psql:%'::text)));
COMMENT ON INDEX public.events_by_hand IS 'What people did, newest first: the view audit_log';
CREATE INDEX events_of_request ON public.events USING btree (correlation_id) WHERE ((type = 'task.enqueued'::text) AND (correlation_id IS NOT NULL));
COMMENT ON INDEX public.events_of_request IS 'Tasks that one request (X-Request-ID) enqueued';
CREATE INDEX events_retained ON public.events USING btree (((data ->> 'what'::text)), (((data ->> 'up_to_position'::text))::bigint)) WHERE (type = 'retention.applied'::text);
COMMENT ON INDEX public.events_retained IS 'Batches of retention, by kind of rows and how far they reach';
CREATE INDEX events_retention ON public.events USING btree ("position") WHERE (type = 'retention.applied'::text);
COMMENT ON INDEX public.events_retention IS 'Batches of retention, by position';
CREATE INDEX events_tasks_of_agents ON public.events USING btree (((data ->> 'subject'::text)), "position") WHERE ((type = 'task.enqueued'::text) AND ((data ->> 'subject'::text) ~~ 'agent:%'::text));
COMMENT ON INDEX public.events_tasks_of_agents IS 'Tasks of an agent, also of one that is gone';
CREATE INDEX events_webhook_failures ON public.events USING btree (((data ->> 'task_id'::text))) WHERE (type = 'webhook.attempt_failed'::text);
COMMENT ON INDEX public.events_webhook_failures IS 'Failed attempts of webhooks, by task';
CREATE INDEX events_webhook_sequence ON public.events USING btree (((data ->> 'endpoint'::text)), (((data ->> 'sequence'::text))::bigint)) WHERE (type = 'webhook.requested'::text);
COMMENT ON INDEX public.events_webhook_sequence IS 'Numbers that webhooks took, by endpoint';
CREATE INDEX events_with_webhook ON public.events USING btree (stream_id) WHERE ((type = 'task.enqueued'::text) AND (data ? 'webhook_url'::text));
COMMENT ON INDEX public.events_with_webhook IS 'Tasks that named a webhook_url';
CREATE INDEX idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
COMMENT ON INDEX public.idempotency_keys_created_at IS 'Oldest first, for retention';
CREATE UNIQUE INDEX one_current_version_per_task_type ON public.task_types USING btree (task_type) WHERE current;
COMMENT ON INDEX public.one_current_version_per_task_type IS 'Each task type has one version that gives the defaults';
CREATE UNIQUE INDEX one_newest_secret_per_scope ON public.webhook_secrets USING btree (scope) WHERE (expires_at IS NULL);
COMMENT ON INDEX public.one_newest_secret_per_scope IS 'Of each scope one secret is the newest';
CREATE INDEX task_attempts_errors ON public.task_attempts USING btree (fingerprint, ended_position) INCLUDE (task_id, outcome) WHERE (fingerprint IS NOT NULL);
COMMENT ON INDEX public.task_attempts_errors IS 'Failed attempts by group, without a look at the table';
CREATE INDEX task_attempts_positions ON public.task_attempts USING brin (queued_position, started_position, ended_position) WITH (pages_per_range='16', autosummarize='on');
COMMENT ON INDEX public.task_attempts_positions IS 'Attempts that were open at a position';
CREATE INDEX taxonomy_edges_child ON public.taxonomy_edges USING btree (taxonomy_version, child_id);
COMMENT ON INDEX public.taxonomy_edges_child IS 'Parents of a node';
CREATE INDEX taxonomy_nodes_node_id ON public.taxonomy_nodes USING btree (node_id);
COMMENT ON INDEX public.taxonomy_nodes_node_id IS 'The versions that have a node';
CREATE INDEX webhook_deliveries_endpoint ON public.webhook_deliveries USING btree (endpoint, requested_position);
COMMENT ON INDEX public.webhook_deliveries_endpoint IS 'Lists of the deliveries of an endpoint';
CREATE INDEX webhook_deliveries_next ON public.webhook_deliveries USING btree (next_attempt_at) WHERE (status = 'pending'::text);
COMMENT ON INDEX public.webhook_deliveries_next IS 'When deliveries become due';
CREATE INDEX webhook_deliveries_pending ON public.webhook_deliveries USING btree (endpoint, sequence) WHERE (status = 'pending'::text);
COMMENT ON INDEX public.webhook_deliveries_pending IS 'Deliveries still to be sent, by endpoint in order of their numbers';
CREATE INDEX webhook_deliveries_requested ON public.webhook_deliveries USING btree (requested_position);
COMMENT ON INDEX public.webhook_deliveries_requested IS 'Lists of deliveries, the newest first';
CREATE INDEX webhook_deliveries_task ON public.webhook_deliveries USING btree (task_id);
COMMENT ON INDEX public.webhook_deliveries_task IS 'Deliveries of a task';
CREATE INDEX webhook_secrets_expiring ON public.webhook_secrets USING btree (scope, expires_at) WHERE (expires_at IS NOT NULL);
COMMENT ON INDEX public.webhook_secrets_expiring IS 'Secrets that sign for a while beside their successors';
CREATE INDEX workers_live ON public.workers USING btree (worker_id) WHERE (status = 'live'::text);
COMMENT ON INDEX public.workers_live IS 'Workers that live, among all that ever did';
CREATE TRIGGER fence_append BEFORE INSERT ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.fence_append();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER fence_append;
CREATE TRIGGER note_others BEFORE INSERT ON public.events FOR EACH ROW WHEN ((new.stream_type <> 'task'::text)) EXECUTE FUNCTION public.note_others();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER note_others;
CREATE TRIGGER project_agents AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_agents();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_agents;
CREATE TRIGGER project_coverage AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_coverage();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_coverage;
CREATE TRIGGER project_endpoints AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_endpoints();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_endpoints;
CREATE TRIGGER project_followers AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_followers();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_followers;
CREATE TRIGGER project_keys AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_keys();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_keys;
CREATE TRIGGER project_queues AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_queues();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_queues;
CREATE TRIGGER project_schedules AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_schedules();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_schedules;
CREATE TRIGGER project_stream_heads AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_stream_heads();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_stream_heads;
CREATE TRIGGER project_tasks AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT EXECUTE FUNCTION public.project_tasks();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_tasks;
CREATE TRIGGER project_webhooks AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_webhooks();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_webhooks;
CREATE TRIGGER project_workers AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_workers();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER project_workers;
CREATE TRIGGER refuse_change BEFORE DELETE OR UPDATE OR TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER refuse_change;
CREATE TRIGGER then_project_retention AFTER INSERT ON public.events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT WHEN ((current_setting('annals.others'::text, true) <> ''::text)) EXECUTE FUNCTION public.project_retention();
ALTER TABLE public.events ENABLE ALWAYS TRIGGER then_project_retention;
ALTER TABLE ONLY public.taxonomy_edges
    ADD CONSTRAINT child_is_a_node FOREIGN KEY (taxonomy_version, child_id) REFERENCES public.taxonomy_nodes(taxonomy_version, node_id);
ALTER TABLE ONLY public.chunks
    ADD CONSTRAINT chunks_belong_to_a_document FOREIGN KEY (doc_id) REFERENCES public.documents(doc_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.document_taxonomy
    ADD CONSTRAINT classifications_belong_to_a_document FOREIGN KEY (doc_id) REFERENCES public.documents(doc_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.taxonomy_nodes
    ADD CONSTRAINT nodes_belong_to_a_taxonomy FOREIGN KEY (taxonomy_version) REFERENCES public.taxonomies(taxonomy_version);
ALTER TABLE ONLY public.taxonomy_edges
    ADD CONSTRAINT parent_is_a_node FOREIGN KEY (taxonomy_version, parent_id) REFERENCES public.taxonomy_nodes(taxonomy_version, node_id);
