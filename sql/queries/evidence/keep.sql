-- Writes evidence of windows of streams, in place of what their measurements gave before.
INSERT INTO llmmon.evidence (deployment, monitor, segment, window_start, window_end, detector, e_value, relevant, value,
                             reference_value, effect, reason, detail, measurement_id, provenance_id)
SELECT %(deployment)s, monitor, segment, window_start, window_end, detector, e_value, relevant, value, reference_value,
       effect, reason, detail, measurement_id, provenance_id
  FROM json_to_recordset(%(rows)s) AS new (
         monitor text, segment text, window_start timestamptz, window_end timestamptz, detector text,
         e_value double precision, relevant boolean, value double precision, reference_value double precision,
         effect double precision, reason text, detail jsonb, measurement_id bigint, provenance_id bigint)
ON CONFLICT (deployment, monitor, segment, window_start) DO UPDATE
   SET window_end = excluded.window_end, detector = excluded.detector, e_value = excluded.e_value,
       relevant = excluded.relevant, value = excluded.value, reference_value = excluded.reference_value,
       effect = excluded.effect, reason = excluded.reason, detail = excluded.detail,
       measurement_id = excluded.measurement_id, provenance_id = excluded.provenance_id
