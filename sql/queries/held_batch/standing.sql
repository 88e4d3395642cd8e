-- What of a source is held: how many batches and rows, since when, and which time they are of.
SELECT count(*)                     AS n_batches,
       coalesce(sum(n_held), 0)::bigint AS n_rows,
       min(loaded_at)               AS since,
       min(first_occurred_at)       AS first_occurred_at,
       max(last_occurred_at)        AS last_occurred_at,
       coalesce(array_agg(batch_id ORDER BY batch_id), '{}') AS batch_ids
  FROM llmmon.ingest_batch
 WHERE source = %(source)s
   AND state = 'held'
