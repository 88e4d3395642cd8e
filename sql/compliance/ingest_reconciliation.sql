-- Ingest reconciliation: per batch, rows read = new + duplicate + bad + held; whether the bad and the held ones are all
-- kept, whether the batch begins where the one before ended, what its gate said, who decided on it if it was held and why,
-- and the digest of its raw bytes.
-- Duties: AI Act Art. 12 and Annex IV 2(d) (data provenance); SOC 2 PI1.2 and PI1.3 (complete and accurate processing).
SELECT b.batch_id,
       b.source,
       b.state,
       b.loaded_at,
       b.n_in,
       b.n_new,
       b.n_dup,
       b.n_bad,
       b.n_in = b.n_new + b.n_dup + b.n_bad + b.n_held            AS adds_up,
       quarantined.n_waiting                                      AS n_in_quarantine,
       CASE WHEN b.n_from_quarantine > 0 THEN NULL
            ELSE b.from_position IS NOT DISTINCT FROM
                 lag(b.to_position) OVER (PARTITION BY b.source, b.n_from_quarantine > 0 ORDER BY b.batch_id)
       END                                                        AS follows_the_batch_before,
       (b.gate ->> 'success')::boolean                            AS gate_passed,
       b.first_occurred_at,
       b.last_occurred_at,
       encode(b.raw_digest, 'hex')                                AS raw_sha256,
       b.code_version,
       b.config_digest,
       b.n_held,
       kept.n                                                     AS n_held_kept,
       quarantined.n_resolved                                     AS n_loaded_from_quarantine,
       b.n_from_quarantine,
       b.decided_at,
       b.decided_by,
       b.decided_because
  FROM llmmon.ingest_batch AS b
 CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE q.resolved_batch_id IS NULL)     AS n_waiting,
           count(*) FILTER (WHERE q.resolved_batch_id IS NOT NULL) AS n_resolved
      FROM llmmon.quarantine AS q
     WHERE q.batch_id = b.batch_id) AS quarantined
 CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM llmmon.held_row AS h WHERE h.batch_id = b.batch_id AND h.is_request) AS kept
 ORDER BY b.batch_id
