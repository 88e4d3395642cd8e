-- How many rows of each source lie in quarantine, by reason, and how many were loaded later.
SELECT source,
       code,
       count(*) FILTER (WHERE resolved_batch_id IS NULL)     AS n_waiting,
       count(*) FILTER (WHERE resolved_batch_id IS NOT NULL) AS n_resolved,
       min(quarantine_id) FILTER (WHERE resolved_batch_id IS NULL) AS first_id,
       min(received_at)                                      AS first_at,
       max(received_at)                                      AS last_at
  FROM llmmon.quarantine
 WHERE %(source)s::text IS NULL OR source = %(source)s
 GROUP BY source, code
 ORDER BY source, n_waiting DESC, code
