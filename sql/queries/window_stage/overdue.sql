-- The windows whose ingest was done before a moment and that a stage has neither finished nor given up since.
SELECT ingest.window_start, ingest.window_end
  FROM llmmon.window_stage AS ingest
  LEFT JOIN llmmon.window_stage AS stage
    ON stage.deployment = ingest.deployment
   AND stage.window_start = ingest.window_start
   AND stage.stage = %(stage)s
 WHERE ingest.deployment = %(deployment)s
   AND ingest.stage = 'ingest'
   AND ingest.state = 'done'
   AND ingest.finished_at < %(before)s
   AND coalesce(stage.state, 'failed') = 'failed'
 ORDER BY ingest.window_start
