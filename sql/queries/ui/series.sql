-- Newest version of every measurement of one deployment over some windows, with what the detector said of it.
SELECT m.deployment, m.monitor, m.segment, m.window_start, m.window_end, m.version,
       m.value, m.low, m.high, m.n, m.unit, m.reason, m.detail -> 'uncalibrated' IS NOT NULL AS is_uncalibrated,
       e.e_value, e.relevant, e.reference_value, e.effect, e.reason AS evidence_reason, e.detail AS evidence_detail
  FROM llmmon.measurement_latest m
  LEFT JOIN llmmon.evidence e USING (deployment, monitor, segment, window_start)
 WHERE m.deployment = %(deployment)s AND m.window_start >= %(first)s AND m.window_start <= %(last)s
   AND (%(monitor)s::text IS NULL OR m.monitor = %(monitor)s)
   AND (%(segment)s::text IS NULL OR m.segment = %(segment)s)
 ORDER BY m.monitor, m.segment, m.window_start;
