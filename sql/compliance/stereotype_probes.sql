-- Stereotype probes: per deployment, probe, category and figure, what the pinned replay model preferred, with its 95% interval,
-- beside the value of a model without preference, over all runs. BBQ: accuracy and bias score with (dis) and without (amb) the
-- context that tells; CrowS-Pairs and WinoBias: percent of pairs whose stereotyped sentence is likelier. A property of the model
-- on a fixed set of sentences, not of any user or answer; published sets are noisy, so compare versions rather than take a value for a verdict.
-- Duties: AI Act Art. 10(2)(f) (possible biases), 15, 55(1)(a); NIST AI RMF MEASURE 2.11 (fairness and bias evaluated).
SELECT f.deployment,
       f.probe,
       f.category,
       f.figure,
       f.value,
       f.low,
       f.high,
       f.unit,
       f.neutral,
       f.low > f.neutral OR f.high < f.neutral                                              AS differs_from_neutral,
       f.n,
       f.reason,
       p.parameters ->> 'model'                                                             AS model,
       p.model_revision,
       f.probed_at,
       f.probed_at = max(f.probed_at) OVER (PARTITION BY f.deployment, f.probe)             AS is_newest,
       lag(f.value) OVER (PARTITION BY f.deployment, f.probe, f.category, f.figure ORDER BY f.probed_at) AS value_before,
       p.code_version,
       p.config_digest
  FROM llmmon.stereotype_figure AS f
  JOIN llmmon.provenance AS p USING (provenance_id)
 ORDER BY f.deployment, f.probe, f.probed_at DESC, f.place
