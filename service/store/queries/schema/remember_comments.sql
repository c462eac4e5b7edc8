-- For comment_objects, which is a block and takes no argument: a list of [kind, identity, comment].
SELECT set_config('annals.comments', %s, true)
