-- Ingest reconciliation: per batch, rows read = new + duplicate + bad; whether the bad ones are all in quarantine, whether
-- the batch begins where the one loaded before ended, what its gate said and the digest of its raw bytes.
-- Duties: AI Act Art. 12 and Annex IV 2(d) (data provenance); SOC 2 PI1.2 and PI1.3 (complete and accurate processing).
SELECT b.batch_id,
       b.source,
       b.state,
       b.loaded_at,
       b.n_in,
       b.n_new,
       b.n_dup,
       b.n_bad,
       b.n_in = b.n_new + b.n_dup + b.n_bad                       AS adds_up,
       quarantined.n                                              AS n_in_quarantine,
       CASE WHEN b.state = 'loaded'
            THEN b.from_position IS NOT DISTINCT FROM
                 lag(b.to_position) OVER (PARTITION BY b.source, b.state = 'loaded' ORDER BY b.batch_id)
       END                                                        AS follows_the_batch_before,
       (b.gate ->> 'success')::boolean                            AS gate_passed,
       b.first_occurred_at,
       b.last_occurred_at,
       encode(b.raw_digest, 'hex')                                AS raw_sha256,
       b.code_version,
       b.config_digest
  FROM llmmon.ingest_batch AS b
 CROSS JOIN LATERAL (
    SELECT count(q.quarantine_id) AS n FROM llmmon.quarantine AS q WHERE q.batch_id = b.batch_id) AS quarantined
 ORDER BY b.batch_id
