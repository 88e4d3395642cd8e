-- The evidence of some windows, as far as it comes from the monitors that are configured.
SELECT monitor, segment, window_start, window_end, detector, e_value, relevant, value, reference_value, effect, reason,
       detail, measurement_id, provenance_id
  FROM llmmon.evidence
 WHERE deployment = %(deployment)s AND window_start = ANY(%(starts)s::timestamptz[]) AND monitor = ANY(%(monitors)s::text[])
