-- Passages of the documents in a scope, best first. $1, $2: the scope; $3: confidence from which a document is in it;
-- $4: the question, in the syntax of websearch_to_tsquery; $5: how many.
--
-- Chunks are indexed unstemmed. The question is stemmed by English rules, which leave Korean alone, and every
-- word of it (but single letters) is looked for as a beginning: "tests" finds "testing", and 문서 finds 문서를. All words first; when
-- fewer passages hold them all than are wanted, passages that hold some come after.
WITH scope AS MATERIALIZED (
    SELECT DISTINCT x.doc_id
    FROM agent_scope($1, $2) s JOIN document_taxonomy x ON x.node_id = s.node_id AND x.confidence >= $3),
question AS (
    SELECT CASE WHEN numnode(q.english) > 0 THEN q.english ELSE websearch_to_tsquery('simple', $4) END AS words
    FROM (SELECT websearch_to_tsquery('english', $4) AS english) q),
beginnings AS (
    SELECT regexp_replace(q.words::text, '(''(?:[^'']|''''){2,}''|''[^\x01-\x7f]'')', '\1:*', 'g')::tsquery AS all_words FROM question q),
wanted AS (
    SELECT b.all_words, CASE WHEN b.all_words::text ~ '[!<]' THEN b.all_words
                             ELSE replace(b.all_words::text, ' & ', ' | ')::tsquery END AS some_words
    FROM beginnings b)
SELECT c.doc_id, c.title, c.ordinal, c.text, ts_rank_cd(c.search, w.some_words, 32)::float8 AS score
FROM wanted w
JOIN chunks c ON c.search @@ w.some_words
JOIN scope s ON s.doc_id = c.doc_id
ORDER BY c.search @@ w.all_words DESC, ts_rank_cd(c.search, w.all_words, 32) DESC, score DESC, c.doc_id, c.ordinal
LIMIT $5
