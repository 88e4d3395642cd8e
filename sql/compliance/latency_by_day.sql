-- Latency by day: per deployment, segment and field the quantiles of the requests that succeeded, within 1%, how many failed or
-- have no value, and how much of the day was measured; is_stale until the day is rolled up again after late rows.
-- Duties: AI Act Art. 15 (declared performance) and 72 (monitoring over the lifetime); SOC 2 A1.1 (capacity and availability).
SELECT d.deployment,
       d.day,
       d.segment,
       d.field,
       d.n_requests,
       d.n_failed,
       d.n_missing,
       d.n,
       q.quantiles[1]                                     AS p50,
       q.quantiles[2]                                     AS p90,
       q.quantiles[3]                                     AS p95,
       q.quantiles[4]                                     AS p99,
       d.n_windows || ' of ' || d.n_windows_expected || ' windows' AS coverage,
       d.n_windows = d.n_windows_expected                 AS is_complete,
       EXISTS (SELECT
                 FROM llmmon.latency_sketch AS s
                WHERE s.deployment = d.deployment AND s.field = d.field AND s.segment = d.segment
                  AND s.window_start >= d.day::timestamp AT TIME ZONE 'UTC'
                  AND s.window_start < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
                  AND s.sketched_at > d.rolled_up_at)     AS is_stale
  FROM llmmon.latency_day AS d
 CROSS JOIN LATERAL llmmon.histogram_quantiles(d.buckets, d.counts, '{0.5,0.9,0.95,0.99}') AS q (quantiles)
 ORDER BY d.deployment, d.day, d.segment, d.field
