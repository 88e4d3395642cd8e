-- The consecutive windows from the first to the last known request of a deployment, on a grid from midnight UTC.
WITH known AS (
  SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM llmmon.request_log
   WHERE deployment = %(deployment)s
)
SELECT window_start, window_start + %(length)s AS window_end
  FROM known, generate_series(date_bin(%(length)s, first_at, %(grid)s), last_at, %(length)s) AS window_start
 ORDER BY window_start
