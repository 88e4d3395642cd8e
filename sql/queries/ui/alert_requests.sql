-- The requests that show an alert best, in the alert's order; very long texts are cut and say so by their length.
SELECT w.request_key, i.request_id, i.occurred_at, r.model, r.model_version, r.route, r.language, r.status, r.error_type,
       r.messages, r.documents, left(r.response_text, 20000) AS response_text, length(r.response_text) AS n_characters,
       r.reference_answer, r.n_output_tokens, r.latency_ms, r.ttft_ms, r.finish_reason, r.groups,
       r.request_key IS NOT NULL AS is_kept
  FROM unnest(%(request_keys)s::bigint[]) WITH ORDINALITY AS w (request_key, position)
  JOIN llmmon.request_identity i USING (request_key)
  LEFT JOIN llmmon.request_log r ON r.request_key = i.request_key AND r.occurred_at = i.occurred_at
 ORDER BY w.position
 LIMIT %(n_rows)s;
