-- Opens the alert of a source whose batches are held, with its event and one delivery for each channel.
WITH opened AS (
  INSERT INTO llmmon.alert (dedupe_key, source, window_start, window_end, severity, title, sentence, detail)
  VALUES (%(dedupe_key)s, %(source)s, %(start)s, %(end)s, %(severity)s, %(title)s, %(sentence)s, %(detail)s)
  RETURNING alert_id
), noted AS (
  INSERT INTO llmmon.alert_event (alert_id, event, actor)
  SELECT alert_id, 'opened', %(actor)s FROM opened
), queued AS (
  INSERT INTO llmmon.delivery (alert_id, channel, dedupe_key)
  SELECT alert_id, channel, %(dedupe_key)s || '-' || channel
    FROM opened, unnest(%(channels)s::text[]) AS channel
)
SELECT alert_id FROM opened
