-- The requests of one deployment over one stretch of time, column by column, for metrics.
SELECT request_key, occurred_at, model, model_version, route, tenant, language, status, error_type, finish_reason,
       (SELECT turn.message ->> 'content'
          FROM jsonb_array_elements(messages) WITH ORDINALITY AS turn (message, place)
         WHERE turn.message ->> 'role' = 'user'
         ORDER BY turn.place DESC
         LIMIT 1) AS prompt,
       response_text, reference_answer, n_input_tokens, n_output_tokens, ttft_ms, latency_ms, cost_usd, feedback, groups
  FROM llmmon.request_log
 WHERE deployment = %(deployment)s
   AND occurred_at >= %(start)s
   AND occurred_at < %(end)s
 ORDER BY occurred_at, request_key
