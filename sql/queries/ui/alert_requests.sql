-- The requests that show an alert best, in the alert's order.
SELECT w.request_key, i.request_id, i.occurred_at, r.model, r.model_version, r.route, r.language, r.status, r.error_type,
       r.response_characters AS n_characters, r.user_ref, p.content, p.key_id, k.wrapped_key, r.n_output_tokens, r.latency_ms, r.ttft_ms, r.finish_reason, r.groups,
       r.request_key IS NOT NULL AS is_kept
  FROM unnest(%(request_keys)s::bigint[]) WITH ORDINALITY AS w (request_key, position)
  JOIN llmmon.request_identity i USING (request_key)
  LEFT JOIN llmmon.request_log r ON r.request_key = i.request_key AND r.occurred_at = i.occurred_at
  LEFT JOIN llmmon.request_payload p ON p.request_key = i.request_key AND p.occurred_at = i.occurred_at
  LEFT JOIN llmmon.subject_key k ON k.key_id = p.key_id
 ORDER BY w.position
 LIMIT %(n_rows)s;
