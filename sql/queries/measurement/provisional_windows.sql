-- The windows that were measured before their reference was complete.
SELECT DISTINCT window_start, window_end
  FROM llmmon.measurement_latest
 WHERE deployment = %(deployment)s
   AND detail -> 'provisional' IS NOT NULL
 ORDER BY window_start
