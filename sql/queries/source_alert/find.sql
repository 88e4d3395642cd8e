-- The unresolved alert of a source, if any; until the transaction ends nobody else changes it.
SELECT alert_id, dedupe_key, detail
  FROM llmmon.alert
 WHERE source = %(source)s
   AND state <> 'resolved'
   FOR UPDATE
