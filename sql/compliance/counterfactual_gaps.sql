-- Counterfactual gaps: per day and monitor, what exchanging a group in real prompts did to an outcome of the answers. The gap is the group's
-- score minus the others' on the same prompts, with a 95% interval; beside it the gap that pairs like the day's find with power 80%, the
-- p-value of "no gap", the same corrected (Holm) for all attributes, groups and outcomes of the deployment's day, the noise floor (how far two
-- answers to one prompt are apart), and the anytime-valid evidence after the day. Prompts that name no group, or both alike, are counted.
-- Duties: AI Act Art. 10(2)(f)-(g), 15(4), 26(5); EU Charter Art. 21; Colorado SB 24-205; NIST AI RMF MEASURE 2.11.
WITH gap AS (
  SELECT m.deployment, m.monitor, m.segment, m.window_start, (m.window_start AT TIME ZONE 'UTC')::date AS day, m.unit,
         p.parameters ->> 'attribute'                             AS attribute,
         m.detail ->> 'group'                                     AS group_name,
         m.detail -> 'minus'                                      AS minus_groups,
         p.parameters ->> 'scorer'                                AS outcome,
         p.parameters ->> 'lane'                                  AS lane,
         m.n,
         (m.detail ->> 'sum')::double precision                   AS total,
         (m.detail ->> 'sum_squares')::double precision           AS squares,
         (m.detail ->> 'n_without_term')::bigint                  AS n_without_term,
         (m.detail ->> 'n_mixed')::bigint                         AS n_mixed,
         (m.detail ->> 'noise_floor')::double precision           AS noise,
         (m.detail ->> 'n_noise')::bigint                         AS n_noise,
         (m.detail ->> 'detectable_errors')::double precision     AS detectable_errors
    FROM llmmon.measurement_latest AS m
    JOIN llmmon.provenance AS p USING (provenance_id)
   WHERE p.kind = 'metrics' AND p.plugin = 'counterfactual_gap' AND m.value IS NOT NULL AND m.n > 0
), others AS (
  SELECT deployment, monitor, segment, day, string_agg(DISTINCT name, ', ' ORDER BY name) AS minus_groups
    FROM gap
   CROSS JOIN LATERAL jsonb_array_elements_text(gap.minus_groups) AS other (name)
   GROUP BY deployment, monitor, segment, day
), summed AS (
  SELECT deployment, monitor, segment, day, attribute, group_name, outcome, lane, unit,
         count(*) AS n_windows, max(window_start) AS last_window, sum(n)::double precision AS n, sum(total) AS total, sum(squares) AS squares,
         sum(n_without_term) AS n_without_term, sum(n_mixed) AS n_mixed, sum(noise * n_noise) / nullif(sum(n_noise), 0) AS noise_floor,
         max(detectable_errors) AS detectable_errors
    FROM gap
   GROUP BY deployment, monitor, segment, day, attribute, group_name, outcome, lane, unit
), adjusted AS (
  -- one pair that differs by 1 is added either way, so that a day on which no pair differs is not certain (Bonett and Price, 2012)
  SELECT *, total / (n + 2) AS centre, sqrt(((squares + 2) / (n + 2) - (total / (n + 2)) ^ 2) / (n + 2)) AS error
    FROM summed
), tested AS (
  SELECT *, erfc(abs(centre) / error / sqrt(2)) AS p_value
    FROM adjusted
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY deployment, day ORDER BY p_value, monitor, segment) AS rank,
         count(*) OVER (PARTITION BY deployment, day) AS n_tests
    FROM tested
)
SELECT r.deployment,
       r.day,
       r.attribute,
       r.group_name,
       others.minus_groups,
       r.outcome,
       r.monitor,
       r.segment,
       r.lane,
       r.n::bigint                                  AS n_pairs,
       r.total / r.n                                AS gap,
       r.centre - 1.959963984540054 * r.error       AS low,
       r.centre + 1.959963984540054 * r.error       AS high,
       r.unit,
       r.detectable_errors * r.error                AS smallest_detectable_gap,
       r.noise_floor,
       r.p_value,
       max(least(1, (r.n_tests - r.rank + 1) * r.p_value)) OVER (PARTITION BY r.deployment, r.day ORDER BY r.rank) AS p_holm,
       r.n_tests,
       e.e_value,
       e.effect                                     AS gap_since_it_began,
       r.n_without_term,
       r.n_mixed,
       r.n_windows
  FROM ranked AS r
  JOIN others USING (deployment, monitor, segment, day)
  LEFT JOIN llmmon.evidence AS e
    ON e.deployment = r.deployment AND e.monitor = r.monitor AND e.segment = r.segment AND e.window_start = r.last_window
 ORDER BY r.deployment, r.day, r.attribute, r.group_name, r.outcome, r.segment
