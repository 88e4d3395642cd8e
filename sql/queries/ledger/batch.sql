-- A batch as its row tells it.
SELECT source, n_new, root, first_occurred_at, last_occurred_at
  FROM llmmon.ingest_batch
 WHERE batch_id = %(batch_id)s
