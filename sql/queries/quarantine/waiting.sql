-- Some rows of a source that are still in quarantine, behind the last one that was looked at.
SELECT quarantine_id, file, byte_offset, raw, sealed
  FROM llmmon.quarantine
 WHERE source = %(source)s
   AND resolved_batch_id IS NULL
   AND quarantine_id > %(after)s
 ORDER BY quarantine_id
 LIMIT %(limit)s
