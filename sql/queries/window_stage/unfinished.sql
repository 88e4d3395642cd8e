-- The windows of a deployment that a stage has not finished or that rows came late for, oldest first. Windows lie on a
-- grid from midnight UTC, between the first and last known requests and the caller's bounds. A window on which a stage
-- was at work since idle_since is left out, so that nobody does what is being done.
WITH known AS (
  SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM llmmon.request_log
   WHERE deployment = %(deployment)s
), bounds AS (
  SELECT date_bin(%(length)s, greatest(first_at, %(start)s), %(grid)s) AS first_start,
         least(last_at, %(end)s - interval '1 microsecond')            AS last_at
    FROM known
   WHERE first_at IS NOT NULL
), slot AS (
  SELECT window_start, window_start + %(length)s AS window_end
    FROM bounds, generate_series(first_start, last_at, %(length)s) AS window_start
), worked_on AS (
  SELECT window_start, max(finished_at) AS last_at
    FROM llmmon.window_stage
   WHERE deployment = %(deployment)s
   GROUP BY window_start
)
SELECT slot.window_start, slot.window_end
  FROM slot
  LEFT JOIN llmmon.window_stage AS stage
    ON stage.deployment = %(deployment)s AND stage.window_start = slot.window_start AND stage.stage = %(stage)s
  LEFT JOIN worked_on ON worked_on.window_start = slot.window_start
 WHERE slot.window_end <= %(end)s
   AND coalesce(stage.state, 'none') NOT IN ('done', 'expired')
   AND coalesce(worked_on.last_at, (SELECT max(loaded_at) FROM llmmon.ingest_batch), '-infinity') < %(idle_since)s
 ORDER BY slot.window_start
 LIMIT %(limit)s
