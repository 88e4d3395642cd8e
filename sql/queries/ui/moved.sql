-- The streams of each deployment with the strongest evidence of change.
SELECT s.deployment, s.monitor, s.segment, s.state, s.e_value
  FROM unnest(%(deployments)s::text[]) AS d (deployment)
 CROSS JOIN LATERAL (
        SELECT deployment, monitor, segment, state, e_value
          FROM llmmon.stream_state
         WHERE deployment = d.deployment
         ORDER BY state = 'alarmed' DESC, e_value DESC NULLS LAST, monitor, segment
         LIMIT %(n_streams)s) s;
