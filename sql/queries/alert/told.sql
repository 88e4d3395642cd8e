-- Alerts with where they were delivered, oldest first, as `llmmon up` tells them.
SELECT alert.alert_id, alert.severity, alert.sentence,
       string_agg(delivery.channel || ' ' || delivery.state, ', ' ORDER BY delivery.channel) AS deliveries
  FROM llmmon.alert AS alert
  LEFT JOIN llmmon.delivery AS delivery USING (alert_id)
 GROUP BY alert.alert_id
 ORDER BY alert.window_start, alert.alert_id
