-- The number of a held batch with exactly these rows, so that trying again does not record it twice.
SELECT batch_id
  FROM llmmon.ingest_batch
 WHERE source = %(source)s
   AND state = 'held'
   AND raw_digest = %(raw_digest)s
   AND config_digest = %(config_digest)s
