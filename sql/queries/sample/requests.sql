-- The logged requests of a window's sample, whole.
SELECT l.request_key, l.source, l.request_id, l.occurred_at, l.deployment, l.model, l.messages, l.digest, l.model_version,
       l.documents, l.parameters, l.response_text, l.reference_answer, l.finish_reason, l.n_input_tokens,
       l.n_output_tokens, l.ttft_ms, l.latency_ms, l.status, l.error_type, l.cost_usd, l.feedback, l.route, l.tenant,
       l.language, l.user_ref, l.conversation_id, l.groups, l.tags, l.cleaned
  FROM llmmon.sample s
  JOIN llmmon.request_log l
    ON l.request_key = s.request_key AND l.occurred_at >= s.window_start AND l.occurred_at < s.window_end
 WHERE s.deployment = %(deployment)s AND s.window_start = %(window_start)s
