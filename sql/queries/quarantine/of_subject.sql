-- The quarantined rows that are known to be a subject's.
SELECT quarantine_id, source, file, byte_offset, code, reason, raw, sealed, received_at
  FROM llmmon.quarantine
 WHERE user_ref = %(user_ref)s
 ORDER BY quarantine_id
