-- Alerts of streams that are not resolved and have no explanation, or one that could not tell and more windows since.
SELECT alert.alert_id
  FROM llmmon.alert
  LEFT JOIN LATERAL (
         SELECT told.cause, told.explained_at
           FROM llmmon.alert_explanation AS told
          WHERE told.alert_id = alert.alert_id
          ORDER BY told.explanation_id DESC
          LIMIT 1
       ) AS newest ON true
 WHERE alert.deployment = ANY (%(deployments)s)
   AND alert.state <> 'resolved'
   AND (newest.explained_at IS NULL
        OR (newest.cause IS NULL
            AND EXISTS (SELECT
                          FROM llmmon.window_stage AS stage
                         WHERE stage.deployment = alert.deployment
                           AND stage.stage = 'measure'
                           AND stage.state = 'done'
                           AND stage.window_start > alert.window_start
                           AND stage.window_start < alert.window_start + %(most)s * (alert.window_end - alert.window_start)
                           AND stage.finished_at > newest.explained_at)))
 ORDER BY alert.alert_id
