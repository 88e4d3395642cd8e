-- The ids of some requests, in the given order.
SELECT wanted.request_key, identity.source, identity.request_id, identity.occurred_at
  FROM unnest(%(request_keys)s::bigint[]) WITH ORDINALITY AS wanted (request_key, place)
  JOIN llmmon.request_identity AS identity USING (request_key)
 ORDER BY wanted.place
