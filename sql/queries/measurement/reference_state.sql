-- Which windows of the reference are ready (judged or given up, or passed by a log that had no request for them), since when.
SELECT span.window_start,
       stage.finished_at AS judged_at,
       stage.state IS NOT NULL
       OR (NOT EXISTS (SELECT
                         FROM llmmon.request_log AS request
                        WHERE request.deployment = %(deployment)s
                          AND request.occurred_at >= span.window_start
                          AND request.occurred_at < span.window_start + %(length)s)
           AND EXISTS (SELECT
                         FROM llmmon.request_log AS request
                        WHERE request.deployment = %(deployment)s
                          AND request.occurred_at >= span.window_start + %(length)s)) AS is_ready
  FROM unnest(%(starts)s::timestamptz[]) AS span (window_start)
  LEFT JOIN llmmon.window_stage AS stage
    ON stage.deployment = %(deployment)s
   AND stage.window_start = span.window_start
   AND stage.stage = 'score'
   AND stage.state IN ('done', 'expired')
 ORDER BY span.window_start
