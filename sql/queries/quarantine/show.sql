-- One quarantined row, whole.
SELECT quarantine_id, batch_id, source, file, byte_offset, code, reason, raw, sealed, received_at, resolved_batch_id,
       resolved_at
  FROM llmmon.quarantine
 WHERE quarantine_id = %(quarantine_id)s
