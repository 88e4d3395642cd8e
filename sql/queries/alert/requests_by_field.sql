-- Up to five requests of a window and segment whose number in a field lies furthest in the direction of a change.
SELECT request_key
  FROM llmmon.request_log r
 WHERE deployment = %(deployment)s
   AND occurred_at >= %(start)s AND occurred_at < %(end)s
   AND CASE WHEN %(dimension)s::text IS NULL THEN true
            WHEN left(%(dimension)s, 6) = 'group.' THEN groups ->> substr(%(dimension)s, 7) = %(value)s
            ELSE to_jsonb(r) ->> %(dimension)s = %(value)s END
   AND CASE %(field)s WHEN 'status' THEN (status = 'error')::integer WHEN 'latency_ms' THEN latency_ms
                      WHEN 'ttft_ms' THEN ttft_ms WHEN 'cost_usd' THEN cost_usd
                      WHEN 'n_output_tokens' THEN n_output_tokens WHEN 'n_input_tokens' THEN n_input_tokens
                      WHEN 'response_text' THEN response_characters END IS NOT NULL
 ORDER BY CASE %(field)s WHEN 'status' THEN (status = 'error')::integer WHEN 'latency_ms' THEN latency_ms
                         WHEN 'ttft_ms' THEN ttft_ms WHEN 'cost_usd' THEN cost_usd
                         WHEN 'n_output_tokens' THEN n_output_tokens WHEN 'n_input_tokens' THEN n_input_tokens
                         WHEN 'response_text' THEN response_characters END * %(sign)s DESC, request_key
 LIMIT 5
