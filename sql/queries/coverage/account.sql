-- The account of every window and stage: how many requests are in which state, with which probability they were drawn
-- or why they failed, and whether they sum up.
SELECT stage.deployment,
       stage.window_start,
       stage.stage,
       stage.state,
       stage.n_requests,
       coalesce(sum(line.n) FILTER (WHERE line.state = 'done'), 0)::bigint        AS n_done,
       coalesce(sum(line.n) FILTER (WHERE line.state = 'sampled_out'), 0)::bigint AS n_sampled_out,
       max(line.probability) FILTER (WHERE line.state = 'sampled_out')            AS sampling_probability,
       coalesce(sum(line.n) FILTER (WHERE line.state = 'failed'), 0)::bigint      AS n_failed,
       coalesce(sum(line.n) FILTER (WHERE line.state = 'expired'), 0)::bigint     AS n_expired,
       coalesce(sum(line.n) FILTER (WHERE line.state = 'pending'), 0)::bigint     AS n_pending,
       stage.state <> 'dirty' AND coalesce(sum(line.n), 0) = stage.n_requests     AS closes,
       coalesce(stage.reason, string_agg(DISTINCT nullif(line.reason, ''), '; '))  AS reason
  FROM llmmon.window_stage AS stage
  LEFT JOIN llmmon.coverage AS line USING (deployment, window_start, stage)
 WHERE stage.deployment = ANY (%(deployments)s)
 GROUP BY stage.deployment, stage.window_start, stage.stage, stage.state, stage.n_requests, stage.reason
 ORDER BY stage.deployment, stage.window_start,
          array_position(ARRAY['ingest', 'sample', 'replay', 'score', 'measure', 'detect'], stage.stage)
