-- The windows of one deployment that have a report, newest first.
SELECT window_start, window_end, renderer, rendered_at
  FROM llmmon.report
 WHERE deployment = %(deployment)s
 ORDER BY window_start DESC
 LIMIT %(n_rows)s;
