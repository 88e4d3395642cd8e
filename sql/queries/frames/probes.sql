-- The probes of one deployment over one stretch of time, for metrics. The latency of a whole batch is nobody's latency.
SELECT window_start, lane, prompt, repeat, reason, answer,
       CASE WHEN detail ->> 'latency_of' = 'batch' THEN NULL ELSE ttft_ms END    AS ttft_ms,
       CASE WHEN detail ->> 'latency_of' = 'batch' THEN NULL ELSE latency_ms END AS latency_ms,
       n_output_tokens, first_logprobs
  FROM llmmon.probe
 WHERE deployment = %(deployment)s
   AND window_start >= %(start)s
   AND window_start < %(end)s
 ORDER BY window_start, lane, prompt, repeat
