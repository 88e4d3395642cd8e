-- Erasures: per destroyed key when, by whom and why; how many stored texts it sealed, which nobody can read any more, how many
-- of their requests still have the digest, and of their batches the root, that prove the rest; and whether the subject came back.
-- Duties: GDPR Art. 17 (erasure), Art. 5(2) (accountability) and Art. 30; SOC 2 C1.2 and P4.3 (disposal).
SELECT e.erasure_id,
       e.erased_at,
       e.user_ref,
       e.erased_by,
       e.because,
       e.key_id,
       k.key_id IS NULL                                           AS key_is_gone,
       e.n_requests,
       e.n_responses,
       e.n_scores,
       e.n_quarantined,
       kept.n_texts                                               AS n_texts_still_stored,
       CASE WHEN k.key_id IS NULL THEN 0 ELSE kept.n_texts END    AS n_texts_readable,
       kept.n_digests,
       kept.n_batches,
       kept.n_roots,
       again.created_at                                           AS returned_at,
       told.event_id                                              AS audit_event_id
  FROM llmmon.subject_erasure AS e
  LEFT JOIN llmmon.subject_key AS k ON k.key_id = e.key_id
  LEFT JOIN llmmon.subject_key AS again ON again.user_ref = e.user_ref AND again.key_id IS DISTINCT FROM e.key_id
  LEFT JOIN audit.trail AS told
    ON told.event = 'subject.erased' AND (told.detail ->> 'erasure_id')::bigint = e.erasure_id
 CROSS JOIN LATERAL (
    SELECT count(*)                                                        AS n_texts,
           count(l.digest)                                                 AS n_digests,
           count(DISTINCT l.batch_id)                                      AS n_batches,
           count(DISTINCT l.batch_id) FILTER (WHERE b.root IS NOT NULL)    AS n_roots
      FROM llmmon.request_payload AS p
      LEFT JOIN llmmon.request_log AS l ON l.occurred_at = p.occurred_at AND l.request_key = p.request_key
      LEFT JOIN llmmon.ingest_batch AS b ON b.batch_id = l.batch_id
     WHERE p.key_id = e.key_id) AS kept
 ORDER BY e.erasure_id
