-- Takes the readable rows of one batch, each request id once.
COPY llmmon_staging (
  ordinal, source, request_id, occurred_at, deployment, model, model_version, route, tenant, language, user_ref,
  conversation_id, status, error_type, finish_reason, messages, documents, parameters, response_text, reference_answer,
  n_input_tokens, n_output_tokens, ttft_ms, latency_ms, cost_usd, feedback, groups, tags, cleaned, digest
) FROM STDIN
