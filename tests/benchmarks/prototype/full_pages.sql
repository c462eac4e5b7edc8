-- Pages filled by the insert: every update moves the row to another page.

ALTER TABLE background_tasks SET (fillfactor = 100);
