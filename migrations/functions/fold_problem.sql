-- Folds streams as fold_streams does; what stands in the way of it, or NULL when they are in the shadow.
--
-- For verify, which goes on with the other streams when the log of one cannot be folded any more.
--
--   BEGIN; SELECT fold_problem('task', '{task-100000001}'); ROLLBACK;

CREATE FUNCTION fold_problem(stream_type text, stream_ids text[]) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM fold_streams(fold_problem.stream_type, fold_problem.stream_ids);
    RETURN NULL;
EXCEPTION WHEN integrity_constraint_violation OR data_exception OR SQLSTATE 'AN422' THEN
    RETURN SQLERRM;
END $$;
