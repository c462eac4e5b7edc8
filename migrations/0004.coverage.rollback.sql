DROP TABLE IF EXISTS document_taxonomy;
DROP TABLE IF EXISTS chunks;
DROP TABLE IF EXISTS documents;
DROP TABLE IF EXISTS taxonomy_edges;
DROP TABLE IF EXISTS taxonomy_nodes;
DROP TABLE IF EXISTS taxonomies;
DROP TABLE IF EXISTS coverage_history;
DROP TABLE IF EXISTS agents;
DELETE FROM task_types WHERE task_type = 'coverage_refresh';
