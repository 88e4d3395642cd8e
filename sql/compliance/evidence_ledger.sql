-- Evidence ledger: per window and stream, what was tested, the evidence it gave or why none, the evidence it needed, and the
-- alert that was opened on it: who spent the alarm budget, and on what. A stream without evidence is counted in the threshold.
-- Duties: AI Act Art. 12 (records), 15 (accuracy, declared metrics), 72 (monitoring plan); NIST AI RMF MEASURE 2.4 and 4.2.
SELECT e.deployment,
       e.window_start,
       e.monitor,
       e.segment,
       e.detector,
       e.value,
       e.reference_value,
       e.effect,
       (p.parameters ->> 'min_effect')::double precision AS min_effect,
       e.e_value,
       b.threshold_e,
       b.alpha,
       b.n_streams,
       coalesce(e.e_value >= b.threshold_e, false)       AS is_significant,
       e.relevant                                        AS is_relevant,
       e.reason                                          AS why_no_evidence,
       a.alert_id,
       e.measurement_id,
       p.parameters                                      AS detector_parameters,
       p.code_version,
       b.decided_at
  FROM llmmon.evidence AS e
  JOIN llmmon.provenance AS p USING (provenance_id)
  LEFT JOIN llmmon.alarm_budget AS b USING (deployment, window_start)
  LEFT JOIN llmmon.alert AS a
    ON a.deployment = e.deployment AND a.monitor = e.monitor AND a.segment = e.segment AND a.window_start = e.window_start
 ORDER BY e.deployment, e.window_start, e.monitor, e.segment
