-- The streams of some monitors that were measured in a stretch of time.
SELECT DISTINCT monitor, segment
  FROM llmmon.measurement
 WHERE deployment = %(deployment)s AND window_start >= %(since)s AND window_start < %(until)s
   AND monitor = ANY(%(monitors)s::text[])
