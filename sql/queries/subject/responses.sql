-- What replaying some requests gave.
SELECT r.*, s.stratum, s.probability, k.wrapped_key, k.user_ref
  FROM llmmon.response AS r
  JOIN llmmon.sample AS s USING (sample_id)
  LEFT JOIN llmmon.subject_key AS k USING (key_id)
 WHERE r.request_key = ANY(%(request_keys)s)
 ORDER BY r.request_key, r.lane, r.variant, r.repeat
