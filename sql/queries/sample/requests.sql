-- The logged requests of a window's sample, whole.
SELECT l.request_key, l.source, l.request_id, l.occurred_at, l.deployment, l.model, l.model_version, l.route, l.tenant,
       l.language, l.user_ref, l.conversation_id, l.status, l.error_type, l.finish_reason, l.n_input_tokens,
       l.n_output_tokens, l.ttft_ms, l.latency_ms, l.cost_usd, l.feedback, l.groups, l.tags, l.cleaned, l.redacted,
       p.content, p.key_id, k.wrapped_key
  FROM llmmon.sample AS s
  JOIN llmmon.request_log AS l
    ON l.request_key = s.request_key AND l.occurred_at >= s.window_start AND l.occurred_at < s.window_end
  LEFT JOIN llmmon.request_payload AS p
    ON p.occurred_at = l.occurred_at AND p.request_key = l.request_key
   AND p.occurred_at >= %(window_start)s AND p.occurred_at < %(window_end)s
  LEFT JOIN llmmon.subject_key AS k ON k.key_id = p.key_id
 WHERE s.deployment = %(deployment)s AND s.window_start = %(window_start)s
