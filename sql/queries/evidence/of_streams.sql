-- The stored evidence of some streams, each from a window of its own on. OFFSET 0 keeps one look-up by key for each stream: how
-- little is after its window is not known to the planner, which would read all evidence there is.
SELECT known.monitor, known.segment, known.window_start, known.detector, known.e_value, known.relevant, known.value,
       known.reference_value, known.effect, known.reason, known.detail, known.measurement_id
  FROM unnest(%(monitors)s::text[], %(segments)s::text[], %(since)s::timestamptz[]) AS stream (monitor, segment, since)
 CROSS JOIN LATERAL (
    SELECT *
      FROM llmmon.evidence AS e
     WHERE e.deployment = %(deployment)s AND e.monitor = stream.monitor AND e.segment = stream.segment
       AND e.window_start >= stream.since AND e.window_start < %(until)s
    OFFSET 0) AS known
