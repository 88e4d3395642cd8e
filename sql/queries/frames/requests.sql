-- The requests of one deployment over one stretch of time, for metrics. A tag may hold anything; of queue_ms, numbers count.
SELECT l.request_key, l.occurred_at, l.model, l.model_version, l.route, l.tenant, l.language, l.status, l.error_type,
       l.finish_reason, l.user_ref, l.conversation_id, l.n_input_tokens, l.n_output_tokens, l.ttft_ms, l.latency_ms, l.cost_usd,
       l.feedback, CASE WHEN l.tags ->> 'queue_ms' ~ '^\d{1,12}(\.\d{1,12})?$' THEN (l.tags ->> 'queue_ms')::double precision END AS queue_ms,
       l.groups, p.content, p.key_id, k.wrapped_key
  FROM llmmon.request_log AS l
  LEFT JOIN llmmon.request_payload AS p
    ON p.occurred_at = l.occurred_at AND p.request_key = l.request_key
   AND p.occurred_at >= %(start)s AND p.occurred_at < %(end)s
  LEFT JOIN llmmon.subject_key AS k ON k.key_id = p.key_id
 WHERE l.deployment = %(deployment)s
   AND l.occurred_at >= %(start)s
   AND l.occurred_at < %(end)s
 ORDER BY l.occurred_at, l.request_key
