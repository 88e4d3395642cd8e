-- The newest version of every measurement of one deployment, stream by stream in the order of windows.
SELECT measurement_id, monitor, segment, window_start, window_end, version, value, low, high, n, unit, reason, detail
  FROM llmmon.measurement_latest
 WHERE deployment = %(deployment)s
 ORDER BY monitor, segment, window_start
