-- The windows of one stream that are measured, from some moment on.
SELECT window_start, window_end, value
  FROM llmmon.measurement_latest
 WHERE deployment = %(deployment)s AND monitor = %(monitor)s AND segment = %(segment)s
   AND window_start >= %(start)s
 ORDER BY window_start
