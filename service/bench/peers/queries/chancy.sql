-- Jobs that Chancy has left.
SELECT count(*) FROM chancy_jobs WHERE state <> 'succeeded'
