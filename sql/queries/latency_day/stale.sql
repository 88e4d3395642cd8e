-- The days, ended by a moment, whose windows were sketched since the day was rolled up, or that never were, oldest first.
SELECT s.deployment, (s.window_start AT TIME ZONE 'UTC')::date AS day
  FROM llmmon.latency_sketch AS s
  LEFT JOIN llmmon.latency_day AS d
    ON d.deployment = s.deployment AND d.field = s.field AND d.segment = s.segment
   AND d.day = (s.window_start AT TIME ZONE 'UTC')::date
 WHERE (s.window_start AT TIME ZONE 'UTC')::date < (%(now)s AT TIME ZONE 'UTC')::date
   AND (d.rolled_up_at IS NULL OR d.rolled_up_at < s.sketched_at)
 GROUP BY 1, 2
 ORDER BY 1, 2
