-- Keep what one probe gave; a failure is replaced by a later try, an answer never is.
INSERT INTO llmmon.probe (
       deployment, window_start, window_end, lane, prompt, repeat, state, reason, answer, finish_reason, served_as,
       n_input_tokens, n_output_tokens, ttft_ms, latency_ms, first_logprobs, cost_usd, detail, provenance_id)
VALUES (
       %(deployment)s, %(window_start)s, %(window_end)s, %(lane)s, %(prompt)s, %(repeat)s, %(state)s, %(reason)s,
       %(answer)s, %(finish_reason)s, %(served_as)s, %(n_input_tokens)s, %(n_output_tokens)s, %(ttft_ms)s,
       %(latency_ms)s, %(first_logprobs)s::jsonb, %(cost_usd)s, %(detail)s::jsonb, %(provenance_id)s)
ON CONFLICT (deployment, window_start, lane, prompt, repeat) DO UPDATE
   SET state = EXCLUDED.state, reason = EXCLUDED.reason, answer = EXCLUDED.answer,
       finish_reason = EXCLUDED.finish_reason, served_as = EXCLUDED.served_as,
       n_input_tokens = EXCLUDED.n_input_tokens, n_output_tokens = EXCLUDED.n_output_tokens,
       ttft_ms = EXCLUDED.ttft_ms, latency_ms = EXCLUDED.latency_ms, first_logprobs = EXCLUDED.first_logprobs,
       cost_usd = EXCLUDED.cost_usd, detail = EXCLUDED.detail, provenance_id = EXCLUDED.provenance_id,
       asked_at = EXCLUDED.asked_at
 WHERE llmmon.probe.state = 'failed'
