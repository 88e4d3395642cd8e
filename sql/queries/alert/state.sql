-- The state of one alert.
SELECT state
  FROM llmmon.alert
 WHERE alert_id = %(alert_id)s;
