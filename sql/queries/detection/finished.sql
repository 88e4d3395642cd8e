-- The windows measured or given up without a gap from where a deployment is judged to, and earlier ones that were again since.
WITH finished AS (
  SELECT window_start, window_end, state, reason, n_requests, finished_at
    FROM (SELECT *, row_number() OVER (ORDER BY window_start) - 1 AS position
            FROM llmmon.window_stage
           WHERE deployment = %(deployment)s AND stage = 'measure' AND state IN ('done', 'expired')
             AND window_start >= %(judged_until)s
             AND (%(active_until)s::timestamptz IS NULL OR window_start < %(active_until)s)) AS next
   WHERE window_start = %(judged_until)s + position * %(length)s
  UNION ALL
  SELECT window_start, window_end, state, reason, n_requests, finished_at
    FROM llmmon.window_stage
   WHERE deployment = %(deployment)s AND stage = 'measure' AND state IN ('done', 'expired')
     AND change_id > %(stage_change_id)s
     AND window_start >= %(first_start)s AND window_start < %(judged_until)s
)
SELECT finished.window_start, finished.window_end, finished.state, finished.reason, finished.n_requests,
       coalesce(detected.state IN ('done', 'expired') AND detected.finished_at >= finished.finished_at
                AND detected.n_requests = finished.n_requests, false) AS is_closed
  FROM finished
  LEFT JOIN llmmon.window_stage AS detected
    ON detected.deployment = %(deployment)s AND detected.window_start = finished.window_start
   AND detected.stage = 'detect'
 ORDER BY finished.window_start
