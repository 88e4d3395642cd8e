-- Rows passed over: per batch and kind, the rows of a log that are whole and record something else than a request to a
-- model, such as an embedding or a span of a web server. They are no part of the batch's n_in and were not looked at.
-- Duties: AI Act Art. 12 and Annex IV 2(d) (data provenance); SOC 2 PI1.2 (inputs are complete and accurate).
SELECT (trail.detail ->> 'batch_id')::bigint      AS batch_id,
       b.source,
       trail.recorded_at                          AS loaded_at,
       passed_over.kind,
       passed_over.n::bigint                      AS n,
       encode(b.raw_digest, 'hex')                AS raw_sha256,
       trail.event_id
  FROM audit.trail
 CROSS JOIN LATERAL jsonb_each_text(trail.detail -> 'passed_over') AS passed_over (kind, n)
  JOIN llmmon.ingest_batch AS b ON b.batch_id = (trail.detail ->> 'batch_id')::bigint
 WHERE trail.event IN ('batch.loaded', 'batch.released')
 ORDER BY trail.event_id, passed_over.kind
