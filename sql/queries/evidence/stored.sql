-- The evidence of a deployment as it was last written.
SELECT monitor, segment, window_start, detector, e_value, relevant, value, reference_value, effect, reason, detail,
       measurement_id
  FROM llmmon.evidence
 WHERE deployment = %(deployment)s
