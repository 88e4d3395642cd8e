-- Every measurement of a deployment up to a window as it was known at a moment, stream by stream in the order of windows.
SELECT DISTINCT ON (monitor, segment, window_start)
       measurement_id, monitor, segment, window_start, window_end, value, low, high, n, unit, reason, detail
  FROM llmmon.measurement
 WHERE deployment = %(deployment)s
   AND window_start <= %(start)s
   AND measured_at <= %(known_at)s
 ORDER BY monitor, segment, window_start, version DESC
