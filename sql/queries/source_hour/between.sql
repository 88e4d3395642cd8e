-- How many requests a source had in each hour of a stretch of event time; hours without any have no row.
SELECT hour, n_requests
  FROM llmmon.source_hour
 WHERE source = %(source)s
   AND hour BETWEEN %(first)s AND %(last)s
