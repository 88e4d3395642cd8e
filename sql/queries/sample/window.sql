-- The sample of one deployment and window.
SELECT sample_id, request_key, stratum, probability, seed
  FROM llmmon.sample
 WHERE deployment = %(deployment)s AND window_start = %(window_start)s
 ORDER BY sample_id
