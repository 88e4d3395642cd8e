-- Marks quarantined rows as loaded by a batch, and whose they turned out to be.
UPDATE llmmon.quarantine AS row
   SET resolved_batch_id = %(batch_id)s,
       resolved_at = clock_timestamp(),
       user_ref = found.user_ref
  FROM unnest(%(quarantine_ids)s::bigint[], %(user_refs)s::text[]) AS found (quarantine_id, user_ref)
 WHERE row.quarantine_id = found.quarantine_id
   AND row.resolved_batch_id IS NULL
