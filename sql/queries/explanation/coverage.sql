-- What became of the requests of some windows at every stage.
SELECT coverage.stage, coverage.state, coverage.reason, sum(coverage.n)::bigint AS n
  FROM llmmon.coverage
 WHERE coverage.deployment = %(deployment)s
   AND coverage.window_start = ANY (%(starts)s::timestamptz[])
   AND coverage.stage IN ('sample', 'replay', 'score', 'measure')
 GROUP BY coverage.stage, coverage.state, coverage.reason
 ORDER BY array_position(ARRAY['sample', 'replay', 'score', 'measure'], coverage.stage), coverage.state, coverage.reason
