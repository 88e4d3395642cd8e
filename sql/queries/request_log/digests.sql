-- The digests of requests that are known, and what their texts are sealed under, to see whether a repeated one is the same.
SELECT identity.request_id, known.digest, payload.key_id
  FROM llmmon.request_identity AS identity
  JOIN llmmon.request_log AS known
    ON known.occurred_at = identity.occurred_at AND known.request_key = identity.request_key
  LEFT JOIN llmmon.request_payload AS payload
    ON payload.occurred_at = identity.occurred_at AND payload.request_key = identity.request_key
 WHERE identity.source = %(source)s
   AND identity.request_id = ANY(%(request_ids)s)
