-- One alert; that of a stream with the measurement it rests on and how both were made.
SELECT a.alert_id, a.source, a.deployment, a.monitor, a.segment, a.detector, a.window_start, a.window_end, a.severity, a.state,
       a.title, a.sentence, a.value, a.reference_value, a.e_value, a.request_keys, a.detail, a.opened_at,
       m.low, m.high, m.n, m.unit, m.version, m.measured_at, m.detail AS measurement_detail,
       e.effect, e.relevant, e.detail AS evidence_detail,
       b.alpha, b.n_streams, b.n_learning, b.n_alarmed, b.largest_e, b.threshold_e
  FROM llmmon.alert a
  LEFT JOIN llmmon.measurement m USING (measurement_id)
  LEFT JOIN llmmon.evidence e ON e.deployment = a.deployment AND e.monitor = a.monitor AND e.segment = a.segment
                             AND e.window_start = a.window_start
  LEFT JOIN llmmon.alarm_budget b ON b.deployment = a.deployment AND b.window_start = a.window_start
 WHERE a.alert_id = %(alert_id)s;
