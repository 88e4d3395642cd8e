-- Endpoint identity: per deployment and window, how many probes the sentinel sent to the endpoint and to the pinned
-- reference, how many failed and of what, what the endpoint called itself, how far its answers were from its own earlier
-- ones and from the reference's (text in MMD^2, log-probabilities in nats), what the strongest evidence of a change is,
-- and what it cost. Duties: AI Act Annex IV (changes through the life cycle), Art. 72 (post-market monitoring); ISO/IEC
-- 42001 A.10.3 (suppliers).
WITH sent AS (
  SELECT deployment, window_start, window_end,
         count(*) FILTER (WHERE lane = 'endpoint')                                          AS n_probes,
         count(*) FILTER (WHERE lane = 'endpoint' AND state = 'failed')                     AS n_failed,
         count(*) FILTER (WHERE lane = 'reference')                                         AS n_reference_probes,
         count(*) FILTER (WHERE lane = 'reference' AND state = 'failed')                    AS n_reference_failed,
         string_agg(DISTINCT lane || ': ' || reason, '; ' ORDER BY lane || ': ' || reason)  AS failure_reasons,
         string_agg(DISTINCT served_as, ', ' ORDER BY served_as) FILTER (WHERE lane = 'endpoint') AS served_as,
         sum(n_input_tokens)                                                                AS n_input_tokens,
         sum(n_output_tokens)                                                               AS n_output_tokens,
         sum(cost_usd)                                                                      AS cost_usd,
         count(*) FILTER (WHERE state = 'done' AND cost_usd IS NULL)                        AS n_without_cost,
         min(asked_at)                                                                      AS first_asked_at,
         max(asked_at)                                                                      AS last_asked_at
    FROM llmmon.probe
   GROUP BY deployment, window_start, window_end
), compared AS (
  SELECT m.deployment, m.window_start, p.plugin, p.parameters ->> 'against' AS against, m.value, e.e_value
    FROM llmmon.measurement_latest AS m
    JOIN llmmon.provenance AS p USING (provenance_id)
    LEFT JOIN llmmon.evidence AS e USING (deployment, monitor, segment, window_start)
   WHERE p.plugin IN ('probe_mmd', 'probe_logprob_gap')
     AND p.parameters ->> 'lane' = 'endpoint'
     AND m.segment = 'all'
), distance AS (
  SELECT deployment, window_start,
         max(value) FILTER (WHERE plugin = 'probe_mmd' AND against = 'endpoint')          AS text_from_earlier,
         max(value) FILTER (WHERE plugin = 'probe_mmd' AND against = 'reference')         AS text_from_reference,
         max(value) FILTER (WHERE plugin = 'probe_logprob_gap' AND against = 'endpoint')  AS logprob_from_earlier,
         max(value) FILTER (WHERE plugin = 'probe_logprob_gap' AND against = 'reference') AS logprob_from_reference,
         max(e_value)                                                                     AS largest_e_value
    FROM compared
   GROUP BY deployment, window_start
)
SELECT s.deployment,
       s.window_start,
       s.window_end,
       s.n_probes,
       s.n_failed,
       s.n_reference_probes,
       s.n_reference_failed,
       s.failure_reasons,
       s.served_as,
       d.text_from_earlier,
       d.text_from_reference,
       d.logprob_from_earlier,
       d.logprob_from_reference,
       d.largest_e_value,
       s.n_input_tokens,
       s.n_output_tokens,
       s.cost_usd,
       s.n_without_cost,
       s.first_asked_at,
       s.last_asked_at
  FROM sent AS s
  LEFT JOIN distance AS d USING (deployment, window_start)
 ORDER BY s.deployment, s.window_start
