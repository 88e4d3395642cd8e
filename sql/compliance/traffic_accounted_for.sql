-- Traffic accounted for: per source and day of reading, each row that was read is new, a duplicate, in quarantine (waiting,
-- loaded later, or removed at the end of its retention), held for a decision, or discarded by one; and whether that adds up
-- with the rows that are really kept. Rows read again from quarantine count on the day that they were first read.
-- Duties: AI Act Art. 10(2) and 12 (data governance, traceability); SOC 2 PI1.2 and PI1.3 (complete and accurate processing).
WITH retired AS (
  SELECT max(recorded_at) AS last_at
    FROM audit.trail
   WHERE event = 'retention.applied' AND (detail ->> 'n_quarantined')::bigint > 0
), batch AS (
  SELECT b.source,
         (b.loaded_at AT TIME ZONE 'UTC')::date                                            AS day,
         b.state, b.n_in, b.n_new, b.n_dup, b.n_bad, b.n_held,
         quarantined.n_waiting,
         quarantined.n_resolved,
         CASE WHEN b.loaded_at < retired.last_at
              THEN b.n_bad - quarantined.n_waiting - quarantined.n_resolved ELSE 0 END      AS n_retired,
         kept.n                                                                             AS n_kept
    FROM llmmon.ingest_batch AS b
   CROSS JOIN retired
   CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE q.resolved_batch_id IS NULL)     AS n_waiting,
             count(*) FILTER (WHERE q.resolved_batch_id IS NOT NULL) AS n_resolved
        FROM llmmon.quarantine AS q
       WHERE q.batch_id = b.batch_id) AS quarantined
   CROSS JOIN LATERAL (
      SELECT count(*) AS n FROM llmmon.held_row AS h WHERE h.batch_id = b.batch_id AND h.is_request) AS kept
   WHERE b.n_from_quarantine = 0
), summed AS (
  SELECT source, day,
         count(*)::bigint                                             AS n_batches,
         sum(n_in)::bigint                                            AS n_in,
         sum(n_new)::bigint                                           AS n_new,
         sum(n_dup)::bigint                                           AS n_duplicate,
         sum(n_waiting)::bigint                                       AS n_in_quarantine,
         sum(n_resolved)::bigint                                      AS n_loaded_from_quarantine,
         sum(n_retired)::bigint                                       AS n_removed_from_quarantine,
         sum(n_kept)::bigint                                          AS n_held,
         coalesce(sum(n_held) FILTER (WHERE state = 'discarded'), 0)::bigint AS n_discarded,
         sum(n_bad)::bigint                                           AS n_bad
    FROM batch
   GROUP BY source, day
)
SELECT source, day, n_batches, n_in, n_new, n_duplicate, n_in_quarantine, n_loaded_from_quarantine,
       n_removed_from_quarantine, n_held, n_discarded,
       n_in - n_new - n_duplicate - n_in_quarantine - n_loaded_from_quarantine - n_removed_from_quarantine - n_held
         - n_discarded                                                AS n_unaccounted,
       n_in = n_new + n_duplicate + n_in_quarantine + n_loaded_from_quarantine + n_removed_from_quarantine + n_held
         + n_discarded                                                AS closes,
       n_bad::double precision / nullif(n_in, 0)                      AS bad_row_rate
  FROM summed
 ORDER BY source, day
