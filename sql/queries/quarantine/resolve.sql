-- Marks quarantined rows as loaded by a batch.
UPDATE llmmon.quarantine
   SET resolved_batch_id = %(batch_id)s,
       resolved_at = clock_timestamp()
 WHERE quarantine_id = ANY(%(quarantine_ids)s)
   AND resolved_batch_id IS NULL
