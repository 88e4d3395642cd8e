-- The windows of a deployment that a stage has not finished or that rows came late for, oldest first. Windows lie on a
-- grid from midnight UTC; the first and last known requests bound them where the caller does not.
WITH known AS (
  SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM llmmon.request_log
   WHERE deployment = %(deployment)s
), bounds AS (
  SELECT date_bin(%(length)s, greatest(first_at, %(start)s), %(grid)s) AS first_start,
         least(last_at, %(end)s - interval '1 microsecond')            AS last_at
    FROM known
), slot AS (
  SELECT window_start, window_start + %(length)s AS window_end
    FROM bounds, generate_series(first_start, last_at, %(length)s) AS window_start
)
SELECT slot.window_start, slot.window_end
  FROM slot
  LEFT JOIN llmmon.window_stage AS stage
    ON stage.deployment = %(deployment)s AND stage.window_start = slot.window_start AND stage.stage = %(stage)s
 WHERE slot.window_end <= %(end)s
   AND coalesce(stage.state, 'none') NOT IN ('done', 'expired')
 ORDER BY slot.window_start
 LIMIT %(limit)s
