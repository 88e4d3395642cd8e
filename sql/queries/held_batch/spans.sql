-- The stretches of event time of which rows of a source are held or were discarded.
SELECT first_occurred_at AS first, last_occurred_at AS last
  FROM llmmon.ingest_batch
 WHERE source = %(source)s
   AND state IN ('held', 'discarded')
   AND first_occurred_at <= %(last)s
   AND last_occurred_at >= %(first)s
