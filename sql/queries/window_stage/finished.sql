-- The finished windows of some deployments that reach into a stretch of time, for rows that come late.
SELECT DISTINCT deployment, window_start, window_end
  FROM llmmon.window_stage
 WHERE deployment = ANY(%(deployments)s)
   AND window_start <= %(last_at)s
   AND window_end > %(first_at)s
   AND state IN ('done', 'expired')
