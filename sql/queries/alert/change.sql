-- Moves an alert to the state that an event leads to and appends the event; no row where the event does not fit its state.
-- Once it is resolved its stream learns anew from the next window on: what is then seen counts as normal. The alert of a
-- source is not reopened: while batches are held, it has another.
WITH target AS (
  SELECT alert_id, source, deployment, monitor, segment, state AS old_state,
         CASE %(event)s WHEN 'acknowledged' THEN 'acknowledged' WHEN 'resolved' THEN 'resolved'
                        WHEN 'reopened' THEN 'open' ELSE state END AS new_state
    FROM llmmon.alert
   WHERE alert_id = %(alert_id)s
     AND CASE %(event)s WHEN 'acknowledged' THEN state = 'open' WHEN 'resolved' THEN state <> 'resolved'
                        WHEN 'reopened' THEN state = 'resolved' AND source IS NULL ELSE true END
     FOR UPDATE
), moved AS (
  UPDATE llmmon.alert a
     SET state = t.new_state,
         detail = CASE WHEN t.source IS NOT NULL THEN a.detail
                       WHEN %(event)s = 'resolved' THEN a.detail || jsonb_build_object('learn_again_after', (
                         SELECT s.window_start FROM llmmon.stream_state s
                          WHERE s.deployment = a.deployment AND s.monitor = a.monitor AND s.segment = a.segment))
                       WHEN %(event)s = 'reopened' THEN a.detail - 'learn_again_after'
                       ELSE a.detail END
    FROM target t
   WHERE a.alert_id = t.alert_id
), noted AS (
  INSERT INTO llmmon.alert_event (alert_id, event, actor, note)
  SELECT alert_id, %(event)s, %(actor)s, %(note)s FROM target
)
SELECT source, deployment, monitor, segment, old_state, new_state
  FROM target;
