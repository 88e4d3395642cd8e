-- One measurement by its number.
SELECT measurement_id, monitor, segment, window_start, window_end, value, low, high, n, unit, reason, detail
  FROM llmmon.measurement
 WHERE measurement_id = %(measurement_id)s
