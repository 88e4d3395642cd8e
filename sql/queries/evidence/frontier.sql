-- The windows measured or given up without a gap from a deployment's first on: as far as its streams can be judged.
WITH known AS (
  SELECT least((SELECT min(occurred_at) FROM llmmon.request_log WHERE deployment = %(deployment)s),
               (SELECT min(window_start) FROM llmmon.window_stage WHERE deployment = %(deployment)s)) AS first_at
), bounds AS (
  SELECT date_bin(%(length)s, greatest(first_at, %(active_from)s), %(grid)s) AS first_start
    FROM known
   WHERE first_at IS NOT NULL
), finished AS (
  SELECT window_start, window_end, state, reason, n_requests, finished_at,
         row_number() OVER (ORDER BY window_start) - 1 AS position
    FROM llmmon.window_stage, bounds
   WHERE deployment = %(deployment)s
     AND stage = 'measure'
     AND state IN ('done', 'expired')
     AND window_start >= first_start
     AND (%(active_until)s::timestamptz IS NULL OR window_start < %(active_until)s)
)
SELECT finished.window_start, finished.window_end, finished.state, finished.reason, finished.n_requests,
       coalesce(detected.state IN ('done', 'expired') AND detected.finished_at >= finished.finished_at
                AND detected.n_requests = finished.n_requests, false) AS is_closed
  FROM finished
 CROSS JOIN bounds
  LEFT JOIN llmmon.window_stage AS detected
    ON detected.deployment = %(deployment)s AND detected.window_start = finished.window_start
   AND detected.stage = 'detect'
 WHERE finished.window_start = first_start + position * %(length)s
 ORDER BY finished.window_start
