-- Keep what one replay gave; a failure is replaced by a later try, an answer never is.
INSERT INTO llmmon.response (
       sample_id, request_key, deployment, window_start, lane, variant, repeat, state, reason, change, key_id, content,
       response_characters, finish_reason, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, mean_logprob,
       logged_mean_logprob, detail, provenance_id)
VALUES (
       %(sample_id)s, %(request_key)s, %(deployment)s, %(window_start)s, %(lane)s, %(variant)s, %(repeat)s, %(state)s,
       %(reason)s, %(change)s::jsonb, %(key_id)s, %(content)s, %(response_characters)s, %(finish_reason)s,
       %(n_input_tokens)s, %(n_output_tokens)s, %(ttft_ms)s, %(latency_ms)s, %(mean_logprob)s, %(logged_mean_logprob)s,
       %(detail)s::jsonb, %(provenance_id)s)
ON CONFLICT (sample_id, lane, variant, repeat) DO UPDATE
   SET state = EXCLUDED.state, reason = EXCLUDED.reason, key_id = EXCLUDED.key_id, content = EXCLUDED.content,
       response_characters = EXCLUDED.response_characters, finish_reason = EXCLUDED.finish_reason,
       n_input_tokens = EXCLUDED.n_input_tokens, n_output_tokens = EXCLUDED.n_output_tokens,
       ttft_ms = EXCLUDED.ttft_ms, latency_ms = EXCLUDED.latency_ms, mean_logprob = EXCLUDED.mean_logprob,
       logged_mean_logprob = EXCLUDED.logged_mean_logprob, detail = EXCLUDED.detail,
       provenance_id = EXCLUDED.provenance_id, responded_at = EXCLUDED.responded_at
 WHERE llmmon.response.state = 'failed'
