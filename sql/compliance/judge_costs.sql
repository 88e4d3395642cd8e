-- Judge costs: per deployment, scorer and day (UTC, when it was paid) how many answers a language model was asked about,
-- how many gave no verdict, how many calls and tokens that took and what they cost in US dollars; a window that was
-- judged again costs again. Duties: AI Act Art. 17(1) (resources of the quality management system); ISO/IEC 42001 A.4
-- (resources for AI systems), A.10.3 (suppliers).
SELECT usage.deployment,
       usage.scorer,
       provenance.parameters ->> 'model'                    AS model,
       (usage.spent_at AT TIME ZONE 'UTC')::date            AS day,
       sum(usage.n_judged)                                  AS n_judged,
       sum(usage.n_failed)                                  AS n_failed,
       sum(usage.n_calls)                                   AS n_calls,
       sum(usage.n_failed_calls)                            AS n_failed_calls,
       sum(usage.n_input_tokens)                            AS n_input_tokens,
       sum(usage.n_output_tokens)                           AS n_output_tokens,
       -- nothing known is not nothing paid
       CASE WHEN sum(usage.n_judged) > sum(usage.n_without_cost) THEN sum(usage.cost_usd) END AS cost_usd,
       sum(usage.n_without_cost)                            AS n_without_cost
  FROM llmmon.judge_usage AS usage
  JOIN llmmon.provenance USING (provenance_id)
 GROUP BY usage.deployment, usage.scorer, provenance.parameters ->> 'model', day
 ORDER BY usage.deployment, usage.scorer, model, day
