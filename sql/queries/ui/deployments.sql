-- Every deployment that is configured or known to the store, with its streams, open alerts and newest budget row.
WITH named AS (
  SELECT unnest(%(configured)s::text[]) AS deployment
  UNION SELECT deployment FROM llmmon.window_stage
  UNION SELECT deployment FROM llmmon.stream_state
  UNION SELECT deployment FROM llmmon.alert WHERE deployment IS NOT NULL
)
SELECT n.deployment,
       s.n_learning, s.n_watching, s.n_alarmed,
       a.n_open, a.n_acknowledged, a.n_critical,
       b.window_start AS budget_window, b.alpha, b.n_streams, b.largest_e, b.threshold_e
  FROM named n
 CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'learning') AS n_learning,
               count(*) FILTER (WHERE state = 'watching') AS n_watching,
               count(*) FILTER (WHERE state = 'alarmed')  AS n_alarmed
          FROM llmmon.stream_state
         WHERE deployment = n.deployment) s
 CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'open')         AS n_open,
               count(*) FILTER (WHERE state = 'acknowledged') AS n_acknowledged,
               count(*) FILTER (WHERE severity = 'critical')  AS n_critical
          FROM llmmon.alert
         WHERE deployment = n.deployment AND state <> 'resolved') a
  LEFT JOIN LATERAL (
        SELECT window_start, alpha, n_streams, largest_e, threshold_e
          FROM llmmon.alarm_budget
         WHERE deployment = n.deployment
         ORDER BY window_start DESC
         LIMIT 1) b ON true
 ORDER BY (s.n_alarmed + a.n_open > 0) DESC, n.deployment;
