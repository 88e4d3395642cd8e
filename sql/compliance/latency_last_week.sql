-- Latency of the last week: per deployment, segment and field the quantiles over the seven days up to its last measured window,
-- within 1%, from the sketches of the windows. For any other stretch: SELECT * FROM llmmon.latency_quantiles(deployment, from, until).
-- Duties: AI Act Art. 15 (declared performance) and 72 (monitoring over the lifetime); SOC 2 A1.1 (capacity and availability).
WITH last AS (
  SELECT deployment, max(window_end) AS as_of
    FROM llmmon.latency_sketch
   GROUP BY deployment
)
SELECT last.deployment,
       last.as_of,
       q.segment,
       q.field,
       q.n,
       q.n_failed,
       q.n_missing,
       q.p50,
       q.p90,
       q.p95,
       q.p99,
       q.n_windows
  FROM last
 CROSS JOIN LATERAL llmmon.latency_quantiles(last.deployment, last.as_of - interval '7 days', last.as_of) AS q
 ORDER BY last.deployment, q.segment, q.field
