-- Alerts of some deployments, oldest first.
SELECT alert_id, deployment, monitor, segment, window_start, severity, state, title, sentence
  FROM llmmon.alert
 WHERE deployment = ANY(%(deployments)s)
 ORDER BY alert_id
