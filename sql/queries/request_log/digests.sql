-- The digests of requests that are known, to see whether a repeated one is the same.
SELECT identity.request_id, known.digest
  FROM llmmon.request_identity AS identity
  JOIN llmmon.request_log AS known
    ON known.occurred_at = identity.occurred_at AND known.request_key = identity.request_key
 WHERE identity.source = %(source)s
   AND identity.request_id = ANY(%(request_ids)s)
