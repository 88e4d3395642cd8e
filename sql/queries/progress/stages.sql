-- How many windows of some deployments each stage has finished, for the progress that `llmmon up` shows.
SELECT stage, count(*) AS n
  FROM llmmon.window_stage
 WHERE deployment = ANY(%(deployments)s) AND state IN ('done', 'expired')
 GROUP BY stage
