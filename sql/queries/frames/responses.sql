-- The replays of one deployment over one stretch of time, for metrics. The latency of a whole batch is nobody's latency.
SELECT response.request_key, response.lane, response.variant, response.repeat, response.reason,
       CASE WHEN response.detail ->> 'latency_of' = 'batch' THEN NULL ELSE response.ttft_ms END    AS ttft_ms,
       CASE WHEN response.detail ->> 'latency_of' = 'batch' THEN NULL ELSE response.latency_ms END AS latency_ms,
       response.n_output_tokens, response.mean_logprob,
       response.logged_mean_logprob, sample.probability, response.change,
       response.content, response.key_id, subject.wrapped_key, subject.user_ref
  FROM llmmon.response
  JOIN llmmon.sample USING (sample_id)
  LEFT JOIN llmmon.subject_key AS subject ON subject.key_id = response.key_id
 WHERE response.deployment = %(deployment)s
   AND response.window_start >= %(start)s
   AND response.window_start < %(end)s
 ORDER BY response.request_key, response.lane, response.variant, response.repeat
