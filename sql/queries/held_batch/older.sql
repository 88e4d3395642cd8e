-- Batches that were held before a moment and still wait.
SELECT batch_id
  FROM llmmon.ingest_batch
 WHERE state = 'held'
   AND loaded_at < %(before)s
 ORDER BY batch_id
