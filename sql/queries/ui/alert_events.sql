-- What happened to an alert, oldest first.
SELECT event, actor, note, happened_at
  FROM llmmon.alert_event
 WHERE alert_id = %(alert_id)s
 ORDER BY alert_event_id;
