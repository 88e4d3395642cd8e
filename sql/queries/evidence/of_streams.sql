-- The stored evidence of some streams, each from a window of its own on.
SELECT monitor, segment, window_start, detector, e_value, relevant, value, reference_value, effect, reason, detail,
       measurement_id
  FROM unnest(%(monitors)s::text[], %(segments)s::text[], %(since)s::timestamptz[]) AS stream (monitor, segment, since)
  JOIN llmmon.evidence AS known USING (monitor, segment)
 WHERE known.deployment = %(deployment)s AND known.window_start >= stream.since AND known.window_start < %(until)s
