-- The field names that rows of the newest batches of a source had.
SELECT DISTINCT jsonb_array_elements_text(gate -> 'field_names') AS name
  FROM (SELECT gate
          FROM llmmon.ingest_batch
         WHERE source = %(source)s
           AND state IN ('loaded', 'released')
           AND gate ? 'field_names'
         ORDER BY batch_id DESC
         LIMIT %(n_batches)s) AS newest
