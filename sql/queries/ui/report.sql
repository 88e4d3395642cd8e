-- The report of one window, without its content.
SELECT window_start, window_end, renderer, rendered_at
  FROM llmmon.report
 WHERE deployment = %(deployment)s AND window_start = %(window_start)s
 ORDER BY report_id DESC
 LIMIT 1;
