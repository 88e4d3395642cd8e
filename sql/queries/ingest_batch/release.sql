-- Marks the held batches of a source as released: what they held back has now been loaded.
UPDATE llmmon.ingest_batch
   SET state = 'released'
 WHERE source = %(source)s
   AND state = 'held'
