-- What the texts of some requests of one window are sealed under; no wrapped_key: it was destroyed.
SELECT payload.request_key, payload.key_id, subject.user_ref, subject.wrapped_key
  FROM llmmon.request_identity AS identity
  JOIN llmmon.request_payload AS payload
    ON payload.occurred_at = identity.occurred_at AND payload.request_key = identity.request_key
   AND payload.occurred_at >= %(start)s AND payload.occurred_at < %(end)s
  LEFT JOIN llmmon.subject_key AS subject USING (key_id)
 WHERE identity.request_key = ANY(%(request_keys)s)
   AND payload.key_id IS NOT NULL
