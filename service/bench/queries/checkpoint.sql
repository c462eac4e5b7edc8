-- The next checkpoint is far away; full pages are written anew, for every queue alike.
CHECKPOINT
