-- Alert lifecycle: when each alert was raised, who was told, who decided what and how many minutes it took. An alert is
-- about a stream (deployment, monitor, segment) or about a source whose batches are held.
-- Duties: AI Act Art. 26(5) (deployers monitor, suspend, inform), 73 (the clock of a serious incident starts here);
-- SOC 2 CC7.3 and CC7.4; NIST AI RMF MANAGE 4.1.
SELECT a.alert_id,
       a.deployment,
       a.monitor,
       a.segment,
       a.severity,
       a.window_start,
       a.sentence,
       a.opened_at,
       sent.n_sent,
       sent.n_given_up,
       sent.first_sent_at,
       first_decision.event                                                       AS first_decision,
       first_decision.actor                                                       AS first_decided_by,
       first_decision.happened_at                                                 AS first_decided_at,
       round(extract(epoch FROM first_decision.happened_at - a.opened_at) / 60, 1) AS minutes_to_first_decision,
       resolved.actor                                                             AS resolved_by,
       resolved.happened_at                                                       AS resolved_at,
       a.state,
       first_decision.event IS NULL                                               AS is_undecided,
       a.source
  FROM llmmon.alert AS a
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.state = 'sent') AS n_sent,
           count(*) FILTER (WHERE d.state = 'dead') AS n_given_up,
           min(d.sent_at)                           AS first_sent_at
      FROM llmmon.delivery AS d
     WHERE d.alert_id = a.alert_id) AS sent
  LEFT JOIN LATERAL (
    SELECT e.event, e.actor, e.happened_at
      FROM llmmon.alert_event AS e
     WHERE e.alert_id = a.alert_id AND e.event IN ('acknowledged', 'resolved')
     ORDER BY e.alert_event_id
     LIMIT 1) AS first_decision ON true
  LEFT JOIN LATERAL (
    SELECT e.actor, e.happened_at
      FROM llmmon.alert_event AS e
     WHERE e.alert_id = a.alert_id AND e.event = 'resolved' AND a.state = 'resolved'
     ORDER BY e.alert_event_id DESC
     LIMIT 1) AS resolved ON true
 ORDER BY a.alert_id
