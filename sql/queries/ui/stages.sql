-- How each stage stands over some windows: every stage row, with its sums of coverage by state.
SELECT w.deployment, w.window_start, w.window_end, w.stage, w.state, w.reason, w.n_requests, w.finished_at,
       coalesce(sum(c.n) FILTER (WHERE c.state = 'done'), 0)::bigint        AS n_done,
       coalesce(sum(c.n) FILTER (WHERE c.state = 'sampled_out'), 0)::bigint AS n_sampled_out,
       coalesce(sum(c.n) FILTER (WHERE c.state = 'failed'), 0)::bigint      AS n_failed,
       coalesce(sum(c.n) FILTER (WHERE c.state = 'expired'), 0)::bigint     AS n_expired,
       coalesce(sum(c.n) FILTER (WHERE c.state = 'pending'), 0)::bigint     AS n_pending,
       coalesce(jsonb_agg(jsonb_build_object('state', c.state, 'reason', c.reason, 'n', c.n, 'probability', c.probability)
                          ORDER BY c.state, c.reason) FILTER (WHERE c.state <> 'done'), '[]') AS not_done
  FROM llmmon.window_stage w
  LEFT JOIN llmmon.coverage c USING (deployment, window_start, stage)
 WHERE w.deployment = ANY (%(deployments)s::text[])
   AND w.window_start >= %(first)s AND w.window_start <= %(last)s
 GROUP BY w.deployment, w.window_start, w.stage
 ORDER BY w.deployment, w.window_start DESC;
