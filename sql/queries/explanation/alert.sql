-- One alert with the measurement it rests on and how that was made; no row where there is none, NULLs where it is about a source.
SELECT alert.alert_id, alert.source, alert.deployment, alert.monitor, alert.segment, alert.detector, alert.window_start,
       alert.window_end, alert.severity, alert.state, alert.sentence, alert.value, alert.reference_value, alert.e_value,
       alert.request_keys, alert.detail, alert.opened_at, measurement.low, measurement.high, measurement.n,
       measurement.unit, metric.plugin AS metric, metric.parameters, metric.config_digest
  FROM llmmon.alert
  LEFT JOIN llmmon.measurement USING (measurement_id)
  LEFT JOIN llmmon.provenance AS metric ON metric.provenance_id = measurement.provenance_id
 WHERE alert.alert_id = %(alert_id)s
