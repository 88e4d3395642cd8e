-- Writes the summary of one stream's reference: the newest version is confirmed when it says the same, else the next one added.
WITH latest AS (
  SELECT reference_summary_id, version, summary
    FROM llmmon.reference_summary
   WHERE deployment = %(deployment)s AND monitor = %(monitor)s AND segment = %(segment)s
   ORDER BY version DESC
   LIMIT 1
), confirmed AS (
  UPDATE llmmon.reference_summary AS kept
     SET judged_at = %(judged_at)s
    FROM latest
   WHERE kept.reference_summary_id = latest.reference_summary_id
     AND kept.basis = %(basis)s
     AND latest.summary = %(summary)s::jsonb
  RETURNING kept.reference_summary_id
)
INSERT INTO llmmon.reference_summary (deployment, monitor, segment, version, basis, judged_at, window_start, window_end,
                                      n_windows, n_requests, summary, provenance_id)
SELECT %(deployment)s, %(monitor)s, %(segment)s, coalesce((SELECT version FROM latest), 0) + 1, %(basis)s, %(judged_at)s,
       %(start)s, %(end)s, %(n_windows)s, %(n_requests)s, %(summary)s, %(provenance_id)s
 WHERE NOT EXISTS (SELECT FROM confirmed)
