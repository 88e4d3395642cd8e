-- The scores of one deployment over one stretch of time with the inclusion probability of sampled requests, for metrics.
SELECT score.request_key, score.lane, score.variant, score.repeat, score.scorer, score.value, score.label, score.reason,
       sample.probability, response.change
  FROM llmmon.score
  LEFT JOIN llmmon.sample
    ON sample.deployment = score.deployment
   AND sample.window_start = score.window_start
   AND sample.request_key = score.request_key
  LEFT JOIN llmmon.response
    ON response.sample_id = sample.sample_id
   AND response.lane = score.lane
   AND response.variant = score.variant
   AND response.repeat = score.repeat
 WHERE score.deployment = %(deployment)s
   AND score.window_start >= %(start)s
   AND score.window_start < %(end)s
 ORDER BY score.request_key, score.lane, score.variant, score.repeat, score.scorer
