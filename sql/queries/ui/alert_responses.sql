-- What replaying those requests gave, in every lane and variant.
SELECT request_key, lane, variant, repeat, state, reason, change, content, key_id, wrapped_key, user_ref,
       response_characters AS n_characters, finish_reason, n_output_tokens, ttft_ms, latency_ms, mean_logprob,
       logged_mean_logprob
  FROM llmmon.response
  LEFT JOIN llmmon.subject_key USING (key_id)
 WHERE request_key = ANY (%(request_keys)s::bigint[]) AND deployment = %(deployment)s
   AND window_start = %(window_start)s
 ORDER BY request_key, lane, variant = 'as_logged' DESC, variant, repeat;
