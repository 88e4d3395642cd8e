-- In how many requests of the newest batches of a source each field was filled in.
SELECT field.name, sum(field.n::bigint)::bigint AS n_filled, sum((b.gate ->> 'n_requests')::bigint)::bigint AS n_requests
  FROM (SELECT gate
          FROM llmmon.ingest_batch
         WHERE source = %(source)s
           AND state IN ('loaded', 'released')
           AND gate ? 'filled'
         ORDER BY batch_id DESC
         LIMIT %(n_batches)s) AS b
 CROSS JOIN LATERAL jsonb_each_text(b.gate -> 'filled') AS field (name, n)
 GROUP BY field.name
