-- Takes the facts of the new requests of one batch.
COPY llmmon.request_log (
  request_key, batch_id, source, request_id, occurred_at, deployment, model, model_version, route, tenant, language,
  user_ref, conversation_id, status, error_type, finish_reason, response_characters, n_input_tokens, n_output_tokens,
  ttft_ms, latency_ms, cost_usd, feedback, groups, tags, cleaned, redacted, digest
) FROM STDIN
