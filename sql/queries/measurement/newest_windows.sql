-- The last three windows of every stream, as `llmmon run` prints them.
SELECT deployment, window_start, monitor, segment, value, low, high, n, unit, reason
  FROM (SELECT deployment, window_start, monitor, segment, value, low, high, n, unit, reason,
               dense_rank() OVER (PARTITION BY deployment ORDER BY window_start DESC) AS age
          FROM llmmon.measurement_latest
         WHERE deployment = ANY(%(deployments)s)) AS ranked
 WHERE age <= 3
 ORDER BY deployment, window_start, monitor, segment
