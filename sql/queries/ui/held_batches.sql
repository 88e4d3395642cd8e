-- The batches of all sources that wait for a person, oldest first, with what their gate said.
SELECT batch_id, source, n_in, first_occurred_at, last_occurred_at, loaded_at, gate
  FROM llmmon.ingest_batch
 WHERE state = 'held'
 ORDER BY batch_id
 LIMIT %(n_rows)s;
