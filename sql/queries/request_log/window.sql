-- The request logs of one deployment over one window, oldest first.
SELECT request_key, source, request_id, occurred_at, deployment, model, model_version, route, tenant, language, user_ref,
       conversation_id, status, error_type, finish_reason, messages, documents, parameters, response_text,
       reference_answer, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, cost_usd, feedback, groups, tags, cleaned,
       digest
  FROM llmmon.request_log
 WHERE deployment = %(deployment)s
   AND occurred_at >= %(start)s
   AND occurred_at < %(end)s
 ORDER BY occurred_at, request_key
