-- The summary of one stream's reference that still holds: made from these reference windows as they were last judged.
SELECT reference_summary_id, summary
  FROM llmmon.reference_summary
 WHERE deployment = %(deployment)s
   AND monitor = %(monitor)s
   AND segment = %(segment)s
   AND basis = %(basis)s
   AND judged_at IS NOT DISTINCT FROM %(judged_at)s::timestamptz
 ORDER BY version DESC
 LIMIT 1
