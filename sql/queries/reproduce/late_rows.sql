-- Requests of a stretch of time that were loaded after a moment.
SELECT request.request_key
  FROM llmmon.request_log AS request
  JOIN llmmon.ingest_batch AS batch USING (batch_id)
 WHERE request.deployment = %(deployment)s
   AND request.occurred_at >= %(start)s
   AND request.occurred_at < %(end)s
   AND batch.loaded_at > %(known_at)s
 ORDER BY request.request_key
