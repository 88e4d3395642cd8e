-- What the newest window of a stream says of each group, of a metric over groups; null of any other.
SELECT window_start, window_end, detail
  FROM llmmon.measurement_latest
 WHERE deployment = %(deployment)s AND monitor = %(monitor)s AND segment = %(segment)s AND window_start = %(window_start)s
   AND jsonb_typeof(detail -> 'groups') = 'object';
