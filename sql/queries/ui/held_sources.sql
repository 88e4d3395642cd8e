-- The sources of which batches wait for a person, with how much.
SELECT source, count(*) AS n_batches, sum(n_held)::bigint AS n_rows
  FROM llmmon.ingest_batch
 WHERE state = 'held'
 GROUP BY source
 ORDER BY source;
