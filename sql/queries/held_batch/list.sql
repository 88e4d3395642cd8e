-- Batches that were held, newest first: of one source or all, of one state or all.
SELECT batch_id, source, state, n_in, n_held, first_occurred_at, last_occurred_at, loaded_at AS held_at,
       decided_at, decided_by, decided_because
  FROM llmmon.ingest_batch
 WHERE state <> 'loaded'
   AND (%(source)s::text IS NULL OR source = %(source)s)
   AND (%(state)s::text IS NULL OR state = %(state)s)
 ORDER BY batch_id DESC
 LIMIT %(limit)s
