-- Requests of some deployments that came from other sources than these, for the warning of `llmmon run --source`.
SELECT deployment, count(*) AS n
  FROM llmmon.request_log
 WHERE deployment = ANY(%(deployments)s) AND source <> ALL(%(sources)s)
 GROUP BY deployment
 ORDER BY deployment
