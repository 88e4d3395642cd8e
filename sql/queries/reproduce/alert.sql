-- One alert, the measurement it rests on, what that was compared with, and how each number was made.
SELECT alert.alert_id, alert.source, alert.deployment, alert.monitor, alert.segment, alert.window_start, alert.window_end,
       alert.sentence, alert.value AS alert_value, alert.reference_value, alert.e_value, alert.detail AS alert_detail,
       alert.opened_at,
       measurement.value, measurement.low, measurement.high, measurement.n, measurement.unit, measurement.reason,
       measurement.detail, measurement.version, measurement.measured_at, measurement.reference_summary_id,
       metric.plugin AS metric, metric.parameters AS metric_parameters, metric.code_version, metric.config_digest,
       metric.seed,
       detector.plugin AS detector, detector.parameters AS detector_parameters,
       detector.code_version AS detector_code_version, detector.config_digest AS detector_config_digest,
       kept.summary, kept.summarised_at, kept.window_start AS reference_start, kept.window_end AS reference_end
  FROM llmmon.alert
  LEFT JOIN llmmon.measurement USING (measurement_id)
  LEFT JOIN llmmon.provenance AS metric ON metric.provenance_id = measurement.provenance_id
  LEFT JOIN llmmon.provenance AS detector ON detector.provenance_id = alert.provenance_id
  LEFT JOIN llmmon.reference_summary AS kept USING (reference_summary_id)
 WHERE alert.alert_id = %(alert_id)s
