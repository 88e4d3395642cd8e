-- Newest windows of each deployment that took in requests, with how many.
SELECT w.deployment, w.window_start, w.window_end, w.n_requests, w.state
  FROM unnest(%(deployments)s::text[]) AS d (deployment)
 CROSS JOIN LATERAL (
        SELECT deployment, window_start, window_end, n_requests, state
          FROM llmmon.window_stage
         WHERE deployment = d.deployment AND stage = 'ingest' AND window_start < %(before)s
         ORDER BY window_start DESC
         LIMIT %(n_windows)s) w
 ORDER BY w.deployment, w.window_start;
