-- The replays of one deployment over one stretch of time, for metrics.
SELECT response.request_key, response.lane, response.variant, response.repeat, response.response_text AS text,
       response.reason, response.ttft_ms, response.latency_ms, response.n_output_tokens, response.mean_logprob,
       response.logged_mean_logprob, sample.probability, response.change
  FROM llmmon.response
  JOIN llmmon.sample USING (sample_id)
 WHERE response.deployment = %(deployment)s
   AND response.window_start >= %(start)s
   AND response.window_start < %(end)s
 ORDER BY response.request_key, response.lane, response.variant, response.repeat
