-- What ran and what was not looked at: per window and stage, how many requests were done, sampled out (and with which
-- probability each was drawn), failed, given up or left, and whether that adds up. Duties: AI Act Art. 12 (traceability),
-- 26(5) (monitoring by deployers), 72 (post-market monitoring); ISO/IEC 42001 9.1; NIST AI RMF MEASURE 2.4.
WITH known AS (
  SELECT deployment, window_start, max(window_end) AS window_end, max(n_requests) AS n_known
    FROM llmmon.window_stage
   GROUP BY deployment, window_start
), counted AS (
  SELECT deployment, window_start, stage,
         coalesce(sum(n) FILTER (WHERE state = 'done'), 0)        AS n_done,
         coalesce(sum(n) FILTER (WHERE state = 'sampled_out'), 0) AS n_sampled_out,
         coalesce(sum(n) FILTER (WHERE state = 'failed'), 0)      AS n_failed,
         coalesce(sum(n) FILTER (WHERE state = 'expired'), 0)     AS n_expired,
         coalesce(sum(n) FILTER (WHERE state = 'pending'), 0)     AS n_pending,
         sum(n)                                                   AS n_counted,
         max(probability) FILTER (WHERE state = 'sampled_out')    AS sampling_probability,
         string_agg(DISTINCT nullif(reason, ''), '; ')            AS reasons
    FROM llmmon.coverage
   GROUP BY deployment, window_start, stage
)
SELECT known.deployment,
       known.window_start,
       known.window_end,
       stages.stage,
       coalesce(done.state, 'not run')                                       AS state,
       coalesce(done.n_requests, known.n_known)                              AS n_requests,
       coalesce(counted.n_done, 0)                                           AS n_done,
       coalesce(counted.n_sampled_out, 0)                                    AS n_sampled_out,
       coalesce(counted.n_failed, 0)                                         AS n_failed,
       coalesce(counted.n_expired, 0)                                        AS n_expired,
       coalesce(counted.n_pending, 0)                                        AS n_pending,
       coalesce(done.n_requests, known.n_known) - coalesce(counted.n_counted, 0) AS n_unaccounted,
       done.state IS NOT NULL AND done.n_requests = coalesce(counted.n_counted, 0) AS closes,
       coalesce(done.reason, counted.reasons)                                AS reason,
       done.finished_at,
       counted.sampling_probability
  FROM known
 CROSS JOIN (VALUES (1, 'ingest'), (2, 'sample'), (3, 'replay'), (4, 'score'), (5, 'measure'), (6, 'detect'))
         AS stages (position, stage)
  LEFT JOIN llmmon.window_stage AS done
    ON done.deployment = known.deployment AND done.window_start = known.window_start AND done.stage = stages.stage
  LEFT JOIN counted
    ON counted.deployment = known.deployment AND counted.window_start = known.window_start
   AND counted.stage = stages.stage
 ORDER BY known.deployment, known.window_start, stages.position
