-- What replaying the sample of one deployment and window gave, with the weight of each sampled request.
SELECT r.response_id, r.sample_id, r.request_key, r.lane, r.variant, r.repeat, r.state, r.reason, r.change, r.content,
       r.key_id, k.wrapped_key, k.user_ref, r.finish_reason, r.n_input_tokens, r.n_output_tokens, r.ttft_ms,
       r.latency_ms, r.mean_logprob, r.logged_mean_logprob, r.detail, r.provenance_id, s.probability
  FROM llmmon.response AS r
  JOIN llmmon.sample AS s USING (sample_id)
  LEFT JOIN llmmon.subject_key AS k USING (key_id)
 WHERE r.deployment = %(deployment)s AND r.window_start = %(window_start)s
 ORDER BY r.request_key, r.lane, r.variant, r.repeat
