-- Writes the evidence of one window of one stream, in place of what its measurements gave before.
INSERT INTO llmmon.evidence (deployment, monitor, segment, window_start, window_end, detector, e_value, relevant, value,
                             reference_value, effect, reason, detail, measurement_id, provenance_id)
VALUES (%(deployment)s, %(monitor)s, %(segment)s, %(start)s, %(end)s, %(detector)s, %(e_value)s, %(relevant)s,
        %(value)s, %(reference_value)s, %(effect)s, %(reason)s, %(detail)s, %(measurement_id)s, %(provenance_id)s)
ON CONFLICT (deployment, monitor, segment, window_start) DO UPDATE
   SET window_end = excluded.window_end, detector = excluded.detector, e_value = excluded.e_value,
       relevant = excluded.relevant, value = excluded.value, reference_value = excluded.reference_value,
       effect = excluded.effect, reason = excluded.reason, detail = excluded.detail,
       measurement_id = excluded.measurement_id, provenance_id = excluded.provenance_id
