-- Removes the rows of a batch that was decided on: they were loaded, quarantined or discarded.
DELETE FROM llmmon.held_row
 WHERE batch_id = %(batch_id)s
