-- The logged responses of a window that a scorer judged and a person could be asked about, with how each was judged.
SELECT score.request_key, request.occurred_at, score.value AS score, score.provenance_id,
       CASE WHEN %(is_sampled)s THEN sample.probability ELSE 1.0 END AS probability
  FROM llmmon.score
  JOIN llmmon.request_identity AS identity USING (request_key)
  JOIN llmmon.request_log AS request
    ON request.request_key = score.request_key AND request.occurred_at = identity.occurred_at
   AND request.occurred_at >= %(start)s AND request.occurred_at < %(end)s
  JOIN llmmon.request_payload AS payload
    ON payload.request_key = request.request_key AND payload.occurred_at = request.occurred_at
   AND payload.occurred_at >= %(start)s AND payload.occurred_at < %(end)s
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = payload.key_id
  LEFT JOIN llmmon.sample
    ON sample.deployment = score.deployment AND sample.window_start = score.window_start
   AND sample.request_key = score.request_key
 WHERE score.deployment = %(deployment)s
   AND score.window_start >= %(start)s
   AND score.window_start < %(end)s
   AND score.scorer = %(scorer)s
   AND score.lane = 'logged'
   AND score.value IS NOT NULL
   AND (payload.key_id IS NULL OR subject.key_id IS NOT NULL)  -- what was erased nobody can judge
   AND (sample.probability IS NOT NULL OR NOT %(is_sampled)s)
 ORDER BY score.value, score.request_key
