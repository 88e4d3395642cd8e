-- Brings the alert of a source up to date; when reading has stopped, each of some channels is told a second time.
WITH updated AS (
  UPDATE llmmon.alert
     SET window_start = %(start)s,
         window_end = %(end)s,
         severity = %(severity)s,
         title = %(title)s,
         sentence = %(sentence)s,
         detail = %(detail)s
   WHERE alert_id = %(alert_id)s
)
INSERT INTO llmmon.delivery (alert_id, channel, dedupe_key)
SELECT %(alert_id)s, channel, %(dedupe_key)s || '-stopped-' || channel
  FROM unnest(%(channels)s::text[]) AS channel
ON CONFLICT ON CONSTRAINT an_alert_goes_to_a_channel_once DO NOTHING
