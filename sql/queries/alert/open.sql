-- Opens an alert, once per episode of a stream; no row when the episode has one already.
WITH opened AS (
  INSERT INTO llmmon.alert (dedupe_key, deployment, monitor, segment, detector, window_start, window_end, severity,
                            title, sentence, value, reference_value, e_value, request_keys, detail, measurement_id,
                            provenance_id)
  VALUES (%(dedupe_key)s, %(deployment)s, %(monitor)s, %(segment)s, %(detector)s, %(start)s, %(end)s, %(severity)s,
          %(title)s, %(sentence)s, %(value)s, %(reference_value)s, %(e_value)s, %(request_keys)s::bigint[], %(detail)s,
          %(measurement_id)s, %(provenance_id)s)
  ON CONFLICT ON CONSTRAINT an_episode_alerts_once DO NOTHING
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
