-- Gate results: what each expectation of the gate found in each batch of a source, with its limits.
-- Duties: AI Act Art. 10(2) and Annex IV 2(d) (examination of data); SOC 2 PI1.2 (inputs are complete and accurate).
SELECT b.batch_id,
       b.source,
       b.state,
       b.loaded_at,
       part.name                                                          AS checked_rows,
       item -> 'expectation_config' ->> 'type'                            AS expectation,
       item -> 'expectation_config' -> 'kwargs' ->> 'column'              AS column_name,
       item -> 'expectation_config' ->> 'severity'                        AS severity,
       (item ->> 'success')::boolean                                      AS passed,
       (item -> 'expectation_config' -> 'kwargs') - '{batch_id,column}'::text[] AS expected,
       item -> 'result' -> 'observed_value'                               AS observed,
       (item -> 'result' ->> 'unexpected_percent')::double precision      AS unexpected_percent
  FROM llmmon.ingest_batch AS b
 CROSS JOIN LATERAL (VALUES ('lines', b.gate -> 'lines'), ('requests', b.gate -> 'requests')) AS part (name, found)
 CROSS JOIN LATERAL jsonb_array_elements(part.found -> 'results') WITH ORDINALITY AS listed (item, place)
 ORDER BY b.batch_id, part.name, listed.place
