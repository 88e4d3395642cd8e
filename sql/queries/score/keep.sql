-- Writes the judgements of many responses; one that is there already changes only when the judgement does.
INSERT INTO llmmon.score AS known (request_key, deployment, window_start, lane, variant, repeat, scorer, value, label,
                                   reason, spans, key_id, evidence, provenance_id)
SELECT row.request_key, %(deployment)s, %(start)s, row.lane, row.variant, row.repeat, row.scorer, row.value, row.label,
       row.reason, row.spans, row.key_id, decode(row.evidence, 'base64'), row.provenance_id
  FROM jsonb_to_recordset(%(rows)s::jsonb) AS row (
         request_key bigint, lane text, variant text, repeat smallint, scorer text, value double precision, label text,
         reason text, spans jsonb, key_id bigint, evidence text, provenance_id bigint
       )
    ON CONFLICT (request_key, lane, variant, repeat, scorer) DO UPDATE
   SET value = EXCLUDED.value,
       label = EXCLUDED.label,
       reason = EXCLUDED.reason,
       spans = EXCLUDED.spans,
       key_id = EXCLUDED.key_id,
       evidence = EXCLUDED.evidence,
       provenance_id = EXCLUDED.provenance_id,
       scored_at = clock_timestamp()
 WHERE (known.value, known.label, known.reason, known.spans, known.evidence)
       IS DISTINCT FROM (EXCLUDED.value, EXCLUDED.label, EXCLUDED.reason, EXCLUDED.spans, EXCLUDED.evidence)
