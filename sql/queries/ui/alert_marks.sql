-- The alerts to mark on the charts of one deployment.
SELECT alert_id, monitor, segment, window_start, severity, state, title
  FROM llmmon.alert
 WHERE deployment = %(deployment)s AND window_start >= %(first)s AND window_start <= %(last)s
 ORDER BY alert_id;
