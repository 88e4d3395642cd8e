-- Service level objectives: how many requests may break each within its days, how many did, and how fast the last 1, 6, 24 and 72
-- hours spend that budget (burn rate 1 spends it exactly in time; the SRE Workbook acts on 14.4 over 1 h, 6 over 6 h, 1 over 72 h).
-- A request counts as too slow when its sketch bucket lies above the limit's, so from at most 2% above it. Requests that succeeded
-- without a logged latency are neither good nor bad. It only informs: alarms are raised within the alarm budget alone.
-- Duties: AI Act Art. 15 (declared performance) and 72; SOC 2 A1.1 (availability commitments).
WITH last AS (
  SELECT deployment, max(window_end) AS as_of
    FROM llmmon.latency_sketch
   GROUP BY deployment
), counted AS (
  SELECT o.deployment, o.slo, last.as_of, s.window_end, s.window_end - s.window_start AS length,
         
         CASE WHEN o.limit_ms IS NULL THEN 0 ELSE s.n_missing END                           AS n_unknown,
         CASE WHEN o.limit_ms IS NULL THEN s.n + s.n_missing ELSE s.n END
           + CASE WHEN o.fails_count THEN s.n_failed ELSE 0 END                             AS n,
         CASE WHEN o.fails_count THEN s.n_failed ELSE 0 END
           + coalesce((SELECT sum(b.n) FROM unnest(s.buckets, s.counts) AS b (bucket, n)
                        WHERE b.bucket > llmmon.bucket_of(o.limit_ms)), 0)                  AS n_bad
    FROM llmmon.slo AS o
    JOIN last USING (deployment)
    JOIN llmmon.latency_sketch AS s
      ON s.deployment = o.deployment AND s.field = o.field AND s.segment = o.segment
     AND s.window_end > last.as_of - make_interval(hours => 24 * o.days)
), summed AS (
  SELECT deployment, slo, as_of, min(length) AS length, count(*) AS n_windows, sum(n) AS n, sum(n_bad) AS n_bad, sum(n_unknown) AS n_unknown,
         sum(n_bad) FILTER (WHERE window_end > as_of - interval '1 hour') / nullif(sum(n) FILTER (WHERE window_end > as_of - interval '1 hour'), 0)     AS bad_1h,
         sum(n_bad) FILTER (WHERE window_end > as_of - interval '6 hours') / nullif(sum(n) FILTER (WHERE window_end > as_of - interval '6 hours'), 0)   AS bad_6h,
         sum(n_bad) FILTER (WHERE window_end > as_of - interval '24 hours') / nullif(sum(n) FILTER (WHERE window_end > as_of - interval '24 hours'), 0) AS bad_24h,
         sum(n_bad) FILTER (WHERE window_end > as_of - interval '72 hours') / nullif(sum(n) FILTER (WHERE window_end > as_of - interval '72 hours'), 0) AS bad_72h
    FROM counted
   GROUP BY deployment, slo, as_of
)
SELECT o.deployment,
       o.slo,
       o.objective,
       o.days,
       o.segment,
       o.field,
       o.limit_ms,
       o.fails_count,
       t.as_of,
       t.n,
       t.n_bad,
       t.n_unknown,
       round(((1 - o.objective) * t.n::double precision)::numeric, 2)                               AS budget,
       round((t.n_bad / nullif((1 - o.objective) * t.n::double precision, 0))::numeric, 4)          AS spent,
       round((t.bad_1h / (1 - o.objective))::numeric, 2)                                            AS burn_rate_1h,
       round((t.bad_6h / (1 - o.objective))::numeric, 2)                                            AS burn_rate_6h,
       round((t.bad_24h / (1 - o.objective))::numeric, 2)                                           AS burn_rate_24h,
       round((t.bad_72h / (1 - o.objective))::numeric, 2)                                           AS burn_rate_72h,
       coalesce(t.n_windows, 0) || ' of '
         || coalesce(round(o.days * 86400 / extract(epoch FROM t.length))::text, '?') || ' windows' AS coverage,
       o.description
  FROM llmmon.slo AS o
  LEFT JOIN summed AS t USING (deployment, slo)
 ORDER BY o.deployment, o.slo
