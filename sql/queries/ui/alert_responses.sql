-- What replaying those requests gave, in every lane and variant.
SELECT request_key, lane, variant, repeat, state, reason, messages, change, left(response_text, 20000) AS response_text,
       length(response_text) AS n_characters, finish_reason, n_output_tokens, ttft_ms, latency_ms,
       mean_logprob, logged_mean_logprob
  FROM llmmon.response
 WHERE request_key = ANY (%(request_keys)s::bigint[]) AND deployment = %(deployment)s
   AND window_start = %(window_start)s
 ORDER BY request_key, lane, variant = 'as_logged' DESC, variant, repeat;
