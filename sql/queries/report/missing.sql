-- The measured windows that have requests but no report, or were measured again since, oldest first.
SELECT stage.window_start, stage.window_end
  FROM llmmon.window_stage AS stage
  LEFT JOIN llmmon.report AS report
    ON report.deployment = stage.deployment
   AND report.window_start = stage.window_start
   AND report.renderer = %(renderer)s
 WHERE stage.deployment = %(deployment)s
   AND stage.stage = 'measure'
   AND stage.state = 'done'
   AND stage.n_requests > 0
   AND (report.report_id IS NULL OR report.rendered_at < stage.finished_at)
 ORDER BY stage.window_start
