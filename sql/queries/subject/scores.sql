-- How the responses to some requests were judged.
SELECT s.*, k.wrapped_key, k.user_ref
  FROM llmmon.score AS s
  LEFT JOIN llmmon.subject_key AS k USING (key_id)
 WHERE s.request_key = ANY(%(request_keys)s)
 ORDER BY s.request_key, s.lane, s.variant, s.repeat, s.scorer
