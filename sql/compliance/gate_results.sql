-- Gate results: what each expectation of the gate found in each batch of a source, with its limits and, where it failed, in
-- words; and what could not be judged, with the reason (passed is null).
-- Duties: AI Act Art. 10(2) and Annex IV 2(d) (examination of data); SOC 2 PI1.2 (inputs are complete and accurate).
SELECT b.batch_id,
       b.source,
       b.state,
       b.loaded_at,
       part.name                                                          AS checked_rows,
       item -> 'expectation_config' ->> 'type'                            AS expectation,
       coalesce(item -> 'expectation_config' -> 'kwargs' ->> 'column',
                item -> 'expectation_config' -> 'kwargs' ->> 'column_A')  AS column_name,
       item -> 'expectation_config' ->> 'severity'                        AS severity,
       (item ->> 'success')::boolean                                      AS passed,
       (item -> 'expectation_config' -> 'kwargs') - '{batch_id,column}'::text[] AS expected,
       item -> 'result' -> 'observed_value'                               AS observed,
       (item -> 'result' ->> 'unexpected_percent')::double precision      AS unexpected_percent,
       item ->> 'says'                                                    AS says
  FROM llmmon.ingest_batch AS b
 CROSS JOIN LATERAL jsonb_each(b.gate) AS part (name, found)
 CROSS JOIN LATERAL (
    SELECT listed.item, listed.place
      FROM jsonb_array_elements(part.found -> 'results') WITH ORDINALITY AS listed (item, place)
     UNION ALL
    SELECT jsonb_build_object('says', 'not judged: ' || (part.found ->> 'not_judged')), 0
     WHERE part.found ? 'not_judged') AS listed
 WHERE part.name IN ('lines', 'requests', 'volume', 'fields', 'names')
 ORDER BY b.batch_id, part.name, listed.place
