-- The measured windows of a deployment that lie in no alert, the newest first: from its likeliest start until it was resolved.
SELECT stage.window_start, stage.window_end
  FROM llmmon.window_stage AS stage
 WHERE stage.deployment = %(deployment)s
   AND stage.stage = 'measure'
   AND stage.state = 'done'
   AND stage.window_end - stage.window_start = %(length)s
   AND NOT EXISTS (
         SELECT
           FROM llmmon.alert AS alert
          WHERE alert.deployment = stage.deployment
            AND stage.window_start >= least(alert.window_start, (alert.detail ->> 'likeliest_start')::timestamptz)
            AND stage.window_start <= coalesce((alert.detail ->> 'learn_again_after')::timestamptz, 'infinity'))
 ORDER BY stage.window_start DESC
 LIMIT %(limit)s
