-- Calibrated rates: per window, every rate of a judge, either corrected by what people said, with its interval, the labels it rests
-- on and how many evenly drawn labels a plain rate would need for an interval as short; or marked as not calibrated, with the reason.
-- Duties: AI Act Art. 15(1) and (3) (accuracy and its metrics are declared), 13(3)(b) (known limits), 14 (oversight that can tell);
-- NIST AI RMF MEASURE 2.5 and 2.9.
SELECT measured.deployment,
       measured.monitor,
       measured.segment,
       measured.window_start,
       measured.window_end,
       made.plugin                                             AS metric,
       made.parameters ->> 'scorer'                            AS scorer,
       measured.detail -> 'uncalibrated' IS NULL               AS is_calibrated,
       measured.value,
       measured.low,
       measured.high,
       measured.n,
       measured.reason,
       measured.detail ->> 'method'                            AS method,
       (measured.detail ->> 'n_labels')::bigint                AS n_labels,
       (measured.detail ->> 'effective_n')::double precision   AS effective_n,
       (measured.detail ->> 'n_cannot_tell')::bigint           AS n_cannot_tell,
       (measured.detail ->> 'n_of_another_judge')::bigint      AS n_labels_of_another_judge,
       (measured.detail ->> 'labels_from')::timestamptz        AS labels_from,
       (measured.detail ->> 'labels_to')::timestamptz          AS labels_to,
       (measured.detail ->> 'last_decided_at')::timestamptz    AS last_decided_at,
       (measured.detail ->> 'sensitivity')::double precision   AS sensitivity,
       (measured.detail ->> 'specificity')::double precision   AS specificity,
       measured.version,
       measured.measured_at
  FROM llmmon.measurement_latest AS measured
  JOIN llmmon.provenance AS made USING (provenance_id)
 WHERE made.plugin = 'calibrated_rate' OR measured.detail -> 'uncalibrated' IS NOT NULL
 ORDER BY measured.deployment, measured.monitor, measured.segment, measured.window_start
