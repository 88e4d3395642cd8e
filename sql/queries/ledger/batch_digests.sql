-- The digests of a batch's requests, in the order of its tree.
SELECT digest
  FROM llmmon.request_log
 WHERE batch_id = %(batch_id)s
   AND occurred_at BETWEEN %(first_occurred_at)s AND %(last_occurred_at)s
 ORDER BY request_key
